# python tools/train.py configs/mti_net/mti_net_hrnet18_nyuv2-13.py
#
# MTI-Net, HRNet-W18-small-v2, NYUv2 with 13 classes, 288x384.
# Published (CTAL, WACV 2025, Table 1): mIoU 51.51, relErr .1538, mErr 23.50, delta_m +3.04; mean of three seeds.
# Size: 12.638 M parameters, 1.070 of STL.
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
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
