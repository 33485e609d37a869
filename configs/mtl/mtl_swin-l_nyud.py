# python tools/train.py configs/mtl/mtl_swin-l_nyud.py
#
# MTL (hard parameter sharing), Swin-L trained on ImageNet-22K, then 1K, NYUD with 40 classes, depth, normals and
# boundaries, 425x560.
# Nothing is published for it.
# Size: 214.915 M parameters.
_base_ = ['../_base_/models/atrc_nyud.py', '../_base_/backbones/swin-l_imagenet.py']
model = dict(
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='FCNHead', in_channels=sum(_base_.backbone_channels), mid_channels=192),
)
