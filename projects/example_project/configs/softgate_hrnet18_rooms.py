# python tools/train.py projects/example_project/configs/softgate_hrnet18_rooms.py
#
# SoftGate on HRNet-W18-small-v2 from scratch on generated rooms at 48x64. Nothing is published on it.
_base_ = [
    '../../../configs/_base_/protocols/mtan_rooms.py',
    '../../../configs/_base_/backbones/hrnet18.py',
    '../../../configs/_base_/schedules/adamw_rooms.py',
    '../../../configs/_base_/default_runtime.py',
]
custom_imports = dict(imports=['example_project'], allow_failed_imports=False)
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=dict(type='HRNet', arch='w18-small-v2', init_cfg=None),
    neck=dict(type='SoftGate', in_channels=_base_.backbone_channels, channels=64),
    heads=dict(type='BottleneckHead', in_channels=64, mid_channels=32),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
