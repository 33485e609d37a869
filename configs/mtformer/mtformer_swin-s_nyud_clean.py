# python tools/train.py configs/mtformer/mtformer_swin-s_nyud_clean.py
#
# MTFormer, Swin-S, NYUD with 40 classes and depth, 480x640, without the errors of the released code: attention is
# scaled by the width of a head, and there are no unused weights. Nothing is published on it.
# Size: 60.981 M parameters.
_base_ = './mtformer_swin-s_nyud.py'
model = dict(neck=dict(scale_quirk=False, legacy_patch_embed=False))
