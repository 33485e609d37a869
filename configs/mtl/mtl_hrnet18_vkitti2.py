# python tools/train.py configs/mtl/mtl_hrnet18_vkitti2.py
#
# MTL (hard parameter sharing), HRNet-W18-small-v2, Virtual KITTI 2 with Cityscapes' 19 classes, depth and normals,
# 192x640.
# Nothing is published with this backbone.
_base_ = [
    '../_base_/protocols/vtagml_vkitti2.py',
    '../_base_/backbones/hrnet18.py',
    '../_base_/schedules/adamw_100e_cosine.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='FCNHead', in_channels=sum(_base_.backbone_channels)),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
