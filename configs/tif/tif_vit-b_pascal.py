# python tools/train.py configs/tif/tif_vit-b_pascal.py
#
# TIF, reconstructed from the paper, ViT-B trained on ImageNet-21K, then 1K, with a pyramid of four maps, PASCAL-Context
# with five tasks, 512x512.
# Nothing is published for it.
# Size: 130.602 M parameters. The widths are those on NYUD.
# Open: what the backbone was trained on.
_base_ = ['../_base_/models/atrc_pascal.py', '../_base_/backbones/vit-b.py']
model = dict(
    data_preprocessor=_base_.backbone_input,
    backbone=_base_.backbone,
    neck=dict(type='TIF', in_channels=_base_.backbone_channels, channels=88, out_channels=768, with_cp=False),
    heads=dict(type='FCNHead', in_channels=768, mid_channels=768),
)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_cfg = dict(max_iters=50000, val_interval=5000)
