# python tools/train.py configs/mtl/mtl_hrnet18_nyuv2-13.py
#
# MTL (hard parameter sharing), HRNet-W18-small-v2, NYUv2 with 13 classes, 288x384.
# Published (CTAL, WACV 2025, Table 1): mIoU 49.25, relErr .1658, mErr 24.16, delta_m -1.89; mean of three seeds.
# Size: 4.086 M parameters, 0.346 of STL.
_base_ = [
    '../_base_/protocols/mtan_nyuv2-13.py',
    '../_base_/backbones/hrnet18.py',
    '../_base_/schedules/adam_200e_cosine.py',
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
