# python tools/train.py configs/ctal/ctal_swinv2-s_nyuv2-13.py
#
# CTAL, single scale, SwinV2-S, NYUv2 with 13 classes, 288x384; the last map alone is read, at 1/32.
# Published (CTAL, WACV 2025, transformer results on NYUv2): mIoU 58.06, relErr .1491, mErr 23.27, delta_m +4.83.
# Size: 56.880 M parameters.
_base_ = '../mtl/mtl_swinv2-s_nyuv2-13.py'
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
)
