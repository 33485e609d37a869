# python tools/train.py configs/tif/tif_swin-l_pascal.py
#
# TIF, reconstructed from the paper, Swin-L trained on ImageNet-22K, then 1K, PASCAL-Context with five tasks, 512x512.
# Nothing is published for it.
# Size: 206.449 M parameters. The widths are those on NYUD.
# Open: what the backbone was trained on.
_base_ = ['../_base_/models/atrc_pascal.py', '../_base_/backbones/swin-l_imagenet.py']
model = dict(
    backbone=_base_.backbone,
    neck=dict(type='TIF', in_channels=_base_.backbone_channels, channels=88, out_channels=384, with_cp=False),
    heads=dict(type='FCNHead', in_channels=384, mid_channels=384),
)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_cfg = dict(max_iters=50000, val_interval=5000)
