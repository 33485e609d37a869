# python tools/train.py configs/ctal/concat_hrnet18_cityscapes.py
#
# Concat (the baseline of CTAL without its affinity), HRNet-W18-small-v2, MTAN's Cityscapes with 19 classes and
# disparity, 128x256.
# Published (CTAL, WACV 2025, table of Cityscapes): mIoU 50.33, relErr 26.92; mean of three seeds.
# Size: 4.592 M parameters, 0.583 of STL.
# Neither its size nor its code is published, so this is an approximation: see the neck.
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
    neck=dict(type='InitialConcat', in_channels=_base_.backbone_channels, with_cp=False),
    heads=dict(type='BottleneckHead', in_channels=256 * len(_base_.tasks), mid_channels=32, out_channels=128),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
