# python tools/train.py configs/mtl/mtl_hrnet18_nyud.py
#
# MTL (hard parameter sharing), HRNet-W18-small-v2, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Published (DeMT, AAAI 2023, results on NYUD-v2): mIoU 36.35, rmse .6284, mErr 21.02, odsF 76.36.
# Size: 4.516 M parameters.
_base_ = [
    '../_base_/protocols/atrc_nyud.py',
    '../_base_/backbones/hrnet18.py',
    '../_base_/schedules/sgd_40k_poly.py',
    '../_base_/iter_runtime.py',
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
