# python tools/train.py configs/mtl/mtl_vit-b_nyud.py
#
# MTL (hard parameter sharing), ViT-B trained on ImageNet-21K, then 1K, with a pyramid of four maps, NYUD with 40
# classes, depth, normals and boundaries, 425x560.
# Nothing is published for it.
# Size: 119.725 M parameters.
_base_ = ['../_base_/models/atrc_nyud.py', '../_base_/backbones/vit-b.py']
model = dict(
    data_preprocessor=_base_.backbone_input,
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='FCNHead', in_channels=sum(_base_.backbone_channels), mid_channels=192),
)
