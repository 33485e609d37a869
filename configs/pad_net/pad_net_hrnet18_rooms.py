# python tools/train.py configs/pad_net/pad_net_hrnet18_rooms.py
#
# PAD-Net, HRNet-W18-small-v2 from scratch on generated rooms at 48x64: needs no data and no download.
# Nothing is published on rooms.
# The decoder has half of the published widths, as in ctal_hrnet18_rooms.py.
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
    neck=dict(
        type='PADNet',
        in_channels=_base_.backbone_channels,
        initial_channels=128,
        initial_mid_channels=32,
        with_cp=False,
    ),
    heads=dict(type='BottleneckHead', in_channels=128, mid_channels=32),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
