# python tools/train.py configs/mtformer/mtformer_swin-s_pascal_clean.py
#
# MTFormer, Swin-S, PASCAL-Context with classes, human parts and saliency, 512x512, without the unused weights of the
# released code. Nothing is published on it.
# Size: 70.066 M parameters.
_base_ = './mtformer_swin-s_pascal.py'
model = dict(neck=dict(legacy_patch_embed=False))
