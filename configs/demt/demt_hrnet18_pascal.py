# python tools/train.py configs/demt/demt_hrnet18_pascal.py
#
# DeMT, HRNet-W18-small-v2, PASCAL-Context with five tasks, 512x512.
# Published (DeMT, AAAI 2023, results on PASCAL-Context): mIoU 59.23, of human parts mIoU 57.93, maxF 83.93,
# mErr 14.02, odsF 69.80.
# Size: 4.961 M parameters.
# Open: the learning rate. No config is public; that of ATRC, of which the code is a fork, has 5e-3, the paper 1e-3.
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
    neck=dict(type='DeMT', in_channels=_base_.backbone_channels, channels=128, deform_impl='auto', with_cp=False),
    heads=dict(type='FCNHead', in_channels=128, mid_channels=33),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
optim_wrapper = dict(optimizer=dict(lr=5e-3))
