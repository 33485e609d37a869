# python tools/train.py configs/demt/demt_hrnet48_nyud.py
#
# DeMT, HRNet-W48, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Published (DeMT, AAAI 2023, ablation of the backbone): mIoU 43.84, rmse .5517, mErr 19.88,
# odsF 77.7.
# Size: 68.856 M parameters. Open: channels and learning rate; here the code's 256, and 1e-2 as for HRNet-W18
# (the paper: 1e-3).
_base_ = [
    '../_base_/protocols/atrc_nyud.py',
    '../_base_/backbones/hrnet48.py',
    '../_base_/schedules/sgd_40k_poly.py',
    '../_base_/iter_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(type='DeMT', in_channels=_base_.backbone_channels, channels=256, deform_impl='auto', with_cp=False),
    heads=dict(type='FCNHead', in_channels=256, mid_channels=90),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
