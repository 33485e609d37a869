# python tools/train.py configs/mtl/mtl_swin-t_pascal.py
#
# MTL (hard parameter sharing), Swin-T trained on ADE20K, PASCAL-Context with five tasks, 512x512.
# Published (DeMT, AAAI 2023, results on PASCAL-Context): mIoU 64.74, of human parts mIoU 53.25, maxF 76.88, mErr 15.86,
# odsF 69.0.
# Size: 33.746 M parameters.
_base_ = ['../_base_/models/atrc_pascal.py', '../_base_/backbones/swin-t_ade20k.py']
model = dict(
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='FCNHead', in_channels=sum(_base_.backbone_channels), mid_channels=96),
)
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
