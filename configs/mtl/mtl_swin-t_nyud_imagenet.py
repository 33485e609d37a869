# python tools/train.py configs/mtl/mtl_swin-t_nyud_imagenet.py
#
# MTL (hard parameter sharing), Swin-T trained on ImageNet-1K, NYUD with 40 classes, depth, normals and boundaries,
# 425x560.
# Nothing is published for it.
# Size: 32.502 M parameters.
_base_ = ['../_base_/models/atrc_nyud.py', '../_base_/backbones/swin-t_imagenet.py']
model = dict(
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='FCNHead', in_channels=sum(_base_.backbone_channels), mid_channels=96),
)
# The published single-task row of this backbone is of one trained on ADE20K: make a baseline by the STL config.
val_evaluator = dict(baseline=None)
test_evaluator = dict(baseline=None)
