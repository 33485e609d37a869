# python tools/train.py configs/mtl/mtl_hrnet48_nyud.py
#
# MTL (hard parameter sharing), HRNet-W48, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Published (DeMT, AAAI 2023, ablation of the backbone): mIoU 41.96, rmse .5543, mErr 20.36, odsF 77.6.
# Size: 70.000 M parameters.
_base_ = ['../_base_/models/atrc_nyud.py', '../_base_/backbones/hrnet48.py']
model = dict(
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='FCNHead', in_channels=sum(_base_.backbone_channels), mid_channels=180),
)
optim_wrapper = dict(optimizer=dict(lr=1e-2))
