# python tools/train.py configs/tif/tif_hrnet18_rooms.py
#
# TIF, reconstructed from the paper, HRNet-W18-small-v2 from scratch on generated rooms at 48x64: needs no data and no
# download. Nothing is published on rooms.
# The channels are half of those on NYUD, as in the other configs of rooms. The features have 64, not the 16 of NYUD:
# with 16, a model from scratch learns classes and depth far more slowly.
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
    neck=dict(type='TIF', in_channels=_base_.backbone_channels, channels=32, out_channels=64, with_cp=False),
    heads=dict(type='FCNHead', in_channels=64, mid_channels=64),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
