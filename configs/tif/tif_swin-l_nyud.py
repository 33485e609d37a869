# python tools/train.py configs/tif/tif_swin-l_nyud.py
#
# TIF, reconstructed from the paper, Swin-L, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Published (TIF, ACM MM 2024, results on NYUD-v2): mIoU 56.80, rmse .5023, mErr 19.21, odsF 79.52.
# Size: 204.382 M parameters; 204.19 are published. The width of the features was fitted to it.
# Open: what the backbone was trained on. Here ImageNet-22K, then 1K.
_base_ = './tif_swin-t_nyud.py'
model = dict(
    backbone=dict(
        arch='large',
        init_cfg=dict(
            checkpoint='https://download.openmmlab.com/mmclassification/v0/swin-transformer/convert/'
            'swin_large_patch4_window7_224_22kto1k-5f0996db.pth',
        ),
    ),
    neck=dict(in_channels=(192, 384, 768, 1536), out_channels=384),
    heads=dict(in_channels=384, mid_channels=384),
)
