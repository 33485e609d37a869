# python tools/train.py configs/pad_net/pad_net_hrnet18_nyuv2-13.py
#
# PAD-Net, HRNet-W18-small-v2, NYUv2 with 13 classes, 288x384.
# Published (CTAL, WACV 2025, Table 1): mIoU 50.23, relErr .1622, mErr 23.63, delta_m +0.27; mean of three seeds.
# Size: 12.077 M parameters, 1.023 of STL.
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
    neck=dict(type='PADNet', in_channels=_base_.backbone_channels, with_cp=False),
    heads=dict(type='BottleneckHead', in_channels=256, mid_channels=64),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
