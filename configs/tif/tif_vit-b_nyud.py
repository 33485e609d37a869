# python tools/train.py configs/tif/tif_vit-b_nyud.py
#
# TIF, reconstructed from the paper, ViT-B trained on ImageNet-21K, then 1K, with a pyramid of four maps, NYUD with 40
# classes, depth, normals and boundaries, 425x560.
# Published (TIF, ACM MM 2024, results on NYUD-v2): mIoU 52.57, rmse .5360, mErr 18.78, odsF 77.16.
# Size: 124.422 M parameters; 124 are published. The paper does not say how ViT gets four maps: the pyramid is our
# choice, and the width of the features, that of ViT, is the one that comes near the published size.
# Open: what the backbone was trained on.
_base_ = ['../_base_/models/atrc_nyud.py', '../_base_/backbones/vit-b.py']
model = dict(
    data_preprocessor=_base_.backbone_input,
    backbone=_base_.backbone,
    neck=dict(type='TIF', in_channels=_base_.backbone_channels, channels=88, out_channels=768, with_cp=False),
    heads=dict(type='FCNHead', in_channels=768, mid_channels=768),
)
train_cfg = dict(max_iters=50000, val_interval=5000)
