# python tools/train.py configs/mtl/mtl_swin-s_pascal.py
#
# MTL (hard parameter sharing), Swin-S trained on ADE20K, PASCAL-Context with five tasks, 512x512.
# Nothing is published for it.
# Size: 55.064 M parameters.
_base_ = ['../_base_/models/atrc_pascal.py', '../_base_/backbones/swin-s_ade20k.py']
model = dict(
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='FCNHead', in_channels=sum(_base_.backbone_channels), mid_channels=96),
)
