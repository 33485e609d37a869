# python tools/train.py configs/tif/tif_hrnet18_pascal.py
#
# TIF, reconstructed from the paper, HRNet-W18-small-v2, PASCAL-Context with five tasks, 512x512.
# Published (TIF, ACM MM 2024, results on PASCAL-Context): mIoU 58.24, of human parts mIoU 57.92, maxF 84.55, mErr
# 13.91, odsF 70.89.
# Size: 5.609 M parameters. The widths are those on NYUD.
_base_ = ['../_base_/models/atrc_pascal.py', '../_base_/backbones/hrnet18.py']
model = dict(
    backbone=_base_.backbone,
    neck=dict(type='TIF', in_channels=_base_.backbone_channels, channels=64, out_channels=16, with_cp=False),
    heads=dict(type='FCNHead', in_channels=16, mid_channels=16),
)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_cfg = dict(max_iters=50000, val_interval=5000)
