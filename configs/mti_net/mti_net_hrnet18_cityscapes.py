# python tools/train.py configs/mti_net/mti_net_hrnet18_cityscapes.py
#
# MTI-Net, HRNet-W18-small-v2, MTAN's Cityscapes with 19 classes and disparity, 128x256.
# Published (CTAL, WACV 2025, table of Cityscapes): mIoU 51.77, relErr 29.90; mean of three seeds.
# Size: 8.566 M parameters, 1.088 of STL.
_base_ = [
    '../_base_/protocols/mtan_cityscapes.py',
    '../_base_/backbones/hrnet18.py',
    '../_base_/schedules/adam_75e_cosine-restarts.py',
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
