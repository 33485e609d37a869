# python tools/train.py configs/mtl/mtl_swin-s_nyud.py
#
# MTL (hard parameter sharing), Swin-S trained on ADE20K, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Published (DeMT, AAAI 2023, results on NYUD-v2): mIoU 47.90, rmse .6053, mErr 21.17, odsF 76.9.
# Size: 53.820 M parameters.
_base_ = ['../_base_/models/atrc_nyud.py', '../_base_/backbones/swin-s_ade20k.py']
model = dict(
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='FCNHead', in_channels=sum(_base_.backbone_channels), mid_channels=96),
)
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
