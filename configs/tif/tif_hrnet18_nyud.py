# python tools/train.py configs/tif/tif_hrnet18_nyud.py
#
# TIF, reconstructed from the paper, HRNet-W18-small-v2, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Published (TIF, ACM MM 2024, results on NYUD-v2): mIoU 40.28, rmse .594, mErr 20.34, odsF 76.92.
# Size: 5.281 M parameters; 5.27 are published. The two widths were fitted to it.
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
    neck=dict(
        type='TIF',
        in_channels=_base_.backbone_channels,
        channels=64,
        out_channels=16,
        saff=4,
        sfd=2,
        lthd=True,
        distill='self',
        num_terms=None,
        ffn_ratio=2,
        with_cp=False,
    ),
    heads=dict(type='FCNHead', in_channels=16, mid_channels=16),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
train_cfg = dict(max_iters=50000, val_interval=5000)
