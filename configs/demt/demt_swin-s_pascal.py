# python tools/train.py configs/demt/demt_swin-s_pascal.py
#
# DeMT, Swin-S, PASCAL-Context with five tasks, 512x512.
# Published (DeMT, AAAI 2023, results on PASCAL-Context): mIoU 72.01, of human parts mIoU 58.96, maxF 83.20,
# mErr 14.57, odsF 72.1.
# Size: 54.347 M parameters.
# As in the released code the backbone was trained on ADE20K; the paper says ImageNet.
_base_ = [
    '../_base_/protocols/atrc_pascal.py',
    '../_base_/backbones/swin-s_ade20k.py',
    '../_base_/schedules/sgd_40k_poly.py',
    '../_base_/iter_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(type='DeMT', in_channels=_base_.backbone_channels, channels=256, deform_impl='auto', with_cp=False),
    heads=dict(type='FCNHead', in_channels=256, mid_channels=180),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
