# python tools/train.py configs/ctal/ctal_hrnet18_rooms.py
#
# CTAL, single scale, HRNet-W18-small-v2 from scratch on generated rooms at 48x64: needs no data and no download.
# Nothing is published on rooms. The decoder has half of the published widths: in a short training at this size it takes
# three fifths of the time of a step and learns more.
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
        type='CTAL',
        in_channels=_base_.backbone_channels,
        feature_size=(_base_.input_size[0] // 4, _base_.input_size[1] // 4),
        channels=64,
        initial_channels=128,
        initial_mid_channels=32,
        gamma=0.05,
        kernel_size=3,
        fusion='shared',
        impl='auto',
        on_size_mismatch='error',
        with_cp=False,
    ),
    heads=dict(type='BottleneckHead', in_channels=64, mid_channels=16),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
