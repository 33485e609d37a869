# python tools/train.py configs/tif/tif_swin-t_pascal.py
#
# TIF, reconstructed from the paper, Swin-T trained on ImageNet-1K, PASCAL-Context with five tasks, 512x512.
# Published (TIF, ACM MM 2024, results on PASCAL-Context): mIoU 69.22, of human parts mIoU 60.04, maxF 84.05, mErr
# 13.92, odsF 73.37.
# Size: 34.159 M parameters. The widths are those on NYUD.
# Open: what the backbone was trained on.
_base_ = ['../_base_/models/atrc_pascal.py', '../_base_/backbones/swin-t_imagenet.py']
model = dict(
    backbone=_base_.backbone,
    neck=dict(type='TIF', in_channels=_base_.backbone_channels, channels=88, out_channels=240, with_cp=False),
    heads=dict(type='FCNHead', in_channels=240, mid_channels=240),
)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_cfg = dict(max_iters=50000, val_interval=5000)
# The published single-task row of this backbone is of one trained on ADE20K: make a baseline by the STL config.
val_evaluator = dict(baseline=None)
test_evaluator = dict(baseline=None)
