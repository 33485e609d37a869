# python tools/train.py configs/mtl/mtl_hrnet18_rooms.py
#
# MTL (hard parameter sharing), HRNet-W18-small-v2 from scratch on generated rooms at 48x64.
# Nothing is published on rooms.
_base_ = [
    '../_base_/protocols/mtan_rooms.py',
    '../_base_/backbones/hrnet18.py',
    '../_base_/schedules/adamw_rooms.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=dict(type='HRNet', arch='w18-small-v2', with_cp=False, init_cfg=None),
    neck=dict(type='PyramidConcat'),
    heads=dict(type='HighResolutionHead', in_channels=sum(_base_.backbone_channels)),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
