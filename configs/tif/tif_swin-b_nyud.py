# python tools/train.py configs/tif/tif_swin-b_nyud.py
#
# TIF, reconstructed from the paper, Swin-B, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Nothing is published for it on NYUD. The width of its features, 320, is between those of Swin-T and Swin-L.
# Open: what the backbone was trained on. Here ImageNet-22K, then 1K.
_base_ = './tif_swin-t_nyud.py'
model = dict(
    backbone=dict(
        arch='base',
        init_cfg=dict(
            checkpoint='https://download.openmmlab.com/mmclassification/v0/swin-transformer/convert/'
            'swin_base_patch4_window7_224_22kto1k-f967f799.pth',
        ),
    ),
    neck=dict(in_channels=(128, 256, 512, 1024), out_channels=320),
    heads=dict(in_channels=320, mid_channels=320),
)
