# python tools/train.py configs/mtl/mtl_hrnet18_pascal.py
#
# MTL (hard parameter sharing), HRNet-W18-small-v2, PASCAL-Context with five tasks, 512x512.
# Published (DeMT, AAAI 2023, results on PASCAL-Context): mIoU 51.48, of human parts mIoU 57.23, maxF 83.43, mErr 14.10,
# odsF 69.76.
# Size: 4.678 M parameters.
_base_ = [
    '../_base_/protocols/atrc_pascal.py',
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
optim_wrapper = dict(optimizer=dict(lr=5e-3))
