# python tools/train.py configs/tif/tif_swin-t_nyud.py
#
# TIF, reconstructed from the paper, Swin-T, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Published (TIF, ACM MM 2024, results on NYUD-v2): mIoU 47.42, rmse .5677, mErr 20.11, odsF 77.75.
# Size: 32.951 M parameters; 32.91 are published. The two widths were fitted to it.
# Open: what the backbone was trained on. Here ImageNet-1K; DeMT, with which the paper compares, has ADE20K.
_base_ = [
    '../_base_/protocols/atrc_nyud.py',
    '../_base_/backbones/swin-t_imagenet.py',
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
        channels=88,
        out_channels=240,
        saff=4,
        sfd=2,
        lthd=True,
        distill='self',
        num_terms=None,
        ffn_ratio=2,
        with_cp=False,
    ),
    heads=dict(type='FCNHead', in_channels=240, mid_channels=240),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_iters=50000, val_interval=5000)
# The published single-task row of this backbone is of one trained on ADE20K: make a baseline by the STL config.
val_evaluator = dict(baseline=None)
test_evaluator = dict(baseline=None)
