# python tools/train.py configs/mti_net/mti_net_hrnet18_rooms.py
#
# MTI-Net, HRNet-W18-small-v2 from scratch on generated rooms at 48x64: needs no data and no download.
# Nothing is published on rooms.
# Its decoder has the backbone's widths, so there is nothing to halve as in the other rooms configs.
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
        type='MTINet',
        in_channels=_base_.backbone_channels,
        feature_propagation=True,
        initial_reduction='mean',
        with_cp=False,
    ),
    heads=dict(type='HighResolutionHead', in_channels=sum(_base_.backbone_channels)),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
