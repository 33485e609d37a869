# python tools/train.py configs/mtl/mtl_swin-b_pascal_imagenet.py
#
# MTL (hard parameter sharing), Swin-B trained on ImageNet-22K, then 1K, PASCAL-Context with five tasks, 512x512.
# Nothing is published for it.
# Size: 97.810 M parameters.
_base_ = ['../_base_/models/atrc_pascal.py', '../_base_/backbones/swin-b_imagenet.py']
model = dict(
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='FCNHead', in_channels=sum(_base_.backbone_channels), mid_channels=128),
)
# The published single-task row of this backbone is of one trained on ADE20K: make a baseline by the STL config.
val_evaluator = dict(baseline=None)
test_evaluator = dict(baseline=None)
