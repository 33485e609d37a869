# python tools/train.py configs/mtformer/mtformer_swin-s_nyud_wo-cl.py
#
# MTFormer without contrast, Swin-S, NYUD with 40 classes and depth, 480x640: the row whose size is published (64.03 M).
# Published (MTFormer, ECCV 2022, results on NYUD-v2): mIoU 50.31, rmse .486, delta_m +3.56.
# Size: 64.030 M parameters.
_base_ = './mtformer_swin-s_nyud.py'
model = dict(neck=dict(contrast='none', contrast_options=None))
