# python tools/train.py configs/ctal/ctal_swinv2-s_pascal.py
#
# CTAL, single scale, SwinV2-S, PASCAL-Context with five tasks, 512x512; the last map alone is read, at 1/32.
# Published (CTAL, WACV 2025, Table 3): mIoU 73.98, of human parts mIoU 61.14, maxF 83.50, mErr 15.96, edgeLoss .0210,
# delta_m +1.46.
# Size: 62.170 M parameters.
# Its released config weighs classes by 2, those of the other methods by 1.
_base_ = '../mtl/mtl_swinv2-s_pascal.py'
model = dict(
    neck=dict(
        _delete_=True,
        type='CTAL',
        in_channels=_base_.backbone_channels,
        feature_size=(_base_.input_size[0] // 32, _base_.input_size[1] // 32),
        feature_stride=32,
        fuse=False,
        reduce_norm=True,
        with_cp=False,
    ),
    heads=dict(in_channels=128),
    weighting=dict(weights=dict(semseg=2.0)),
)
