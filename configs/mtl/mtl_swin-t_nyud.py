# python tools/train.py configs/mtl/mtl_swin-t_nyud.py
#
# MTL (hard parameter sharing), Swin-T, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Published (DeMT, AAAI 2023, results on NYUD-v2): mIoU 38.78, rmse .6312, mErr 21.05, odsF 75.6.
# Size: 32.502 M parameters.
# As in the released code of DeMT the backbone was trained on ADE20K.
_base_ = [
    '../_base_/protocols/atrc_nyud.py',
    '../_base_/backbones/swin-t_ade20k.py',
    '../_base_/schedules/sgd_40k_poly.py',
    '../_base_/iter_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='FCNHead', in_channels=sum(_base_.backbone_channels), mid_channels=96),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
