# python tools/train.py configs/mtl/mtl_swin-b_nyud.py
#
# MTL (hard parameter sharing), Swin-B trained on ADE20K, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Published (DeMT, AAAI 2023, ablation of the backbone): mIoU 51.44, rmse .5813, mErr 20.44, odsF 78.0.
# Size: 95.599 M parameters.
_base_ = ['../_base_/models/atrc_nyud.py', '../_base_/backbones/swin-b_ade20k.py']
model = dict(
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='FCNHead', in_channels=sum(_base_.backbone_channels), mid_channels=128),
)
