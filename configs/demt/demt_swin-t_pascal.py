# python tools/train.py configs/demt/demt_swin-t_pascal.py
#
# DeMT, Swin-T, PASCAL-Context with five tasks, 512x512.
# Published (DeMT, AAAI 2023, results on PASCAL-Context): mIoU 69.71, of human parts mIoU 57.18, maxF 82.63,
# mErr 14.56, odsF 71.2.
# Size: 33.029 M parameters.
# As in the released code the backbone was trained on ADE20K; the paper says ImageNet.
_base_ = [
    '../_base_/protocols/atrc_pascal.py',
    '../_base_/backbones/swin-t_ade20k.py',
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
