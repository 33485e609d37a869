# python tools/train.py configs/demt/demt_swin-b_nyud.py
#
# DeMT, Swin-B, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Published (DeMT, AAAI 2023, ablation of the backbone): mIoU 54.34, rmse .5209, mErr 19.21,
# odsF 78.5.
# Size: 91.974 M parameters; the README of the released code has 90.9.
# As in the released code the backbone was trained on ADE20K, from ImageNet-22K; the paper says ImageNet.
_base_ = [
    '../_base_/protocols/atrc_nyud.py',
    '../_base_/backbones/swin-b_ade20k.py',
    '../_base_/schedules/sgd_40k_poly.py',
    '../_base_/iter_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(type='DeMT', in_channels=_base_.backbone_channels, channels=256, deform_impl='auto', with_cp=False),
    heads=dict(type='FCNHead', in_channels=256, mid_channels=240),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
