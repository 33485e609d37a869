# python tools/train.py configs/mtl/mtl_hrnet18_cityscapes.py
#
# MTL (hard parameter sharing), HRNet-W18-small-v2, MTAN's Cityscapes with 19 classes and disparity, 128x256.
# Published (CTAL, WACV 2025, table of Cityscapes): mIoU 49.78, relErr 31.80; mean of three seeds.
# Size: 4.014 M parameters, 0.510 of STL.
_base_ = [
    '../_base_/protocols/mtan_cityscapes.py',
    '../_base_/backbones/hrnet18.py',
    '../_base_/schedules/adam_75e_cosine.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='HighResolutionHead', in_channels=sum(_base_.backbone_channels)),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
