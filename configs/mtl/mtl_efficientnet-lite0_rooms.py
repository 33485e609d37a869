# python tools/train.py configs/mtl/mtl_efficientnet-lite0_rooms.py
#
# MTL (hard parameter sharing), EfficientNet-Lite0 trained on ImageNet, on generated rooms at 48x64.
# Nothing is published on rooms. The other configs of this backbone on rooms differ from this one in neck and heads. 600
# steps suffice with weights that have seen pictures, less than half of those from scratch.
_base_ = [
    '../_base_/protocols/mtan_rooms.py',
    '../_base_/backbones/efficientnet_lite0.py',
    '../_base_/schedules/adamw_rooms_pretrained.py',
    '../_base_/default_runtime.py',
]
data_preprocessor = dict(_base_.data_preprocessor, **_base_.backbone_input)
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='BottleneckHead', in_channels=sum(_base_.backbone_channels), mid_channels=16, out_channels=64),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
train_dataloader = dict(dataset=dict(length=4800))
