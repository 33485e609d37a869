# python tools/train.py configs/ctal/concat_hrnet18_nyuv2-13.py
#
# Concat (the baseline of CTAL without its affinity), HRNet-W18-small-v2, NYUv2 with 13 classes, 288x384.
# Published (CTAL, WACV 2025, Table 1): mIoU 50.01, relErr .1634, mErr 23.65, delta_m -0.15; mean of three seeds.
# Size: 5.039 M parameters; none is published. Neither is the code, so this is an approximation: see the neck.
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
    neck=dict(type='InitialConcat', in_channels=_base_.backbone_channels, with_cp=False),
    heads=dict(type='BottleneckHead', in_channels=256 * len(_base_.tasks), mid_channels=32, out_channels=128),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
