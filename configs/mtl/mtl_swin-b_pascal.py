# python tools/train.py configs/mtl/mtl_swin-b_pascal.py
#
# MTL (hard parameter sharing), Swin-B trained on ADE20K, PASCAL-Context with five tasks, 512x512.
# Nothing is published for it.
# Size: 97.810 M parameters.
_base_ = ['../_base_/models/atrc_pascal.py', '../_base_/backbones/swin-b_ade20k.py']
model = dict(
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='FCNHead', in_channels=sum(_base_.backbone_channels), mid_channels=128),
)
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
