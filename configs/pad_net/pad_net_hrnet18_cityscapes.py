# python tools/train.py configs/pad_net/pad_net_hrnet18_cityscapes.py
#
# PAD-Net, HRNet-W18-small-v2, MTAN's Cityscapes with 19 classes and disparity, 128x256.
# Published (CTAL, WACV 2025, table of Cityscapes): mIoU 50.67, relErr 27.37; mean of three seeds.
# Size: 7.008 M parameters, 0.890 of STL.
_base_ = [
    '../_base_/protocols/mtan_cityscapes.py',
    '../_base_/backbones/hrnet18.py',
    '../_base_/schedules/adam_75e_cosine.py',
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
