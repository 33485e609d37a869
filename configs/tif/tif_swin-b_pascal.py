# python tools/train.py configs/tif/tif_swin-b_pascal.py
#
# TIF, reconstructed from the paper, Swin-B trained on ImageNet-22K, then 1K, PASCAL-Context with five tasks, 512x512.
# Published (TIF, ACM MM 2024, results on PASCAL-Context): mIoU 74.89, of human parts mIoU 66.06, maxF 84.30, mErr
# 13.80, odsF 75.62.
# Size: 95.714 M parameters. The widths are those on NYUD.
# Open: what the backbone was trained on.
_base_ = ['../_base_/models/atrc_pascal.py', '../_base_/backbones/swin-b_imagenet.py']
model = dict(
    backbone=_base_.backbone,
    neck=dict(type='TIF', in_channels=_base_.backbone_channels, channels=88, out_channels=320, with_cp=False),
    heads=dict(type='FCNHead', in_channels=320, mid_channels=320),
)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_cfg = dict(max_iters=50000, val_interval=5000)
# The published single-task row of this backbone is of one trained on ADE20K: make a baseline by the STL config.
val_evaluator = dict(baseline=None)
test_evaluator = dict(baseline=None)
