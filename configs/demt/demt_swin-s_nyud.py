# python tools/train.py configs/demt/demt_swin-s_nyud.py
#
# DeMT, Swin-S, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Published (DeMT, AAAI 2023, results on NYUD-v2): mIoU 51.50, rmse .5474, mErr 20.02, odsF 78.1, delta_m +4.12.
# Size: 53.388 M parameters; 53.03 are published.
# As in the released code the backbone was trained on ADE20K; the paper says ImageNet.
_base_ = [
    '../_base_/protocols/atrc_nyud.py',
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
