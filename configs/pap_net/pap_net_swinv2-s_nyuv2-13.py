# python tools/train.py configs/pap_net/pap_net_swinv2-s_nyuv2-13.py
#
# PAP-Net, SwinV2-S, NYUv2 with 13 classes, 288x384; the last map alone is read, at 1/32.
# Published (CTAL, WACV 2025, transformer results on NYUv2): mIoU 56.80, relErr .1500, mErr 23.73, delta_m +3.26.
# Size: 55.793 M parameters.
_base_ = '../mtl/mtl_swinv2-s_nyuv2-13.py'
model = dict(
    neck=dict(
        _delete_=True, type='PAPNet', in_channels=_base_.backbone_channels, fuse=False, iterations=2, with_cp=False
    ),
    heads=dict(in_channels=128),
)
