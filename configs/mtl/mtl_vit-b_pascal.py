# python tools/train.py configs/mtl/mtl_vit-b_pascal.py
#
# MTL (hard parameter sharing), ViT-B trained on ImageNet-21K, then 1K, with a pyramid of four maps, PASCAL-Context with
# five tasks, 512x512.
# Nothing is published for it.
# Size: 125.032 M parameters.
_base_ = ['../_base_/models/atrc_pascal.py', '../_base_/backbones/vit-b.py']
model = dict(
    data_preprocessor=_base_.backbone_input,
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='FCNHead', in_channels=sum(_base_.backbone_channels), mid_channels=192),
)
