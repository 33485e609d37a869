# python tools/train.py configs/pad_net/pad_net_swinv2-s_nyuv2-13.py
#
# PAD-Net, SwinV2-S, NYUv2 with 13 classes, 288x384; the last map alone is read, at 1/32.
# Published (CTAL, WACV 2025, transformer results on NYUv2): mIoU 57.40, relErr .1469, mErr 23.70, delta_m +4.32.
# Size: 65.623 M parameters.
_base_ = '../mtl/mtl_swinv2-s_nyuv2-13.py'
model = dict(
    neck=dict(_delete_=True, type='PADNet', in_channels=_base_.backbone_channels, fuse=False, with_cp=False),
    heads=dict(in_channels=256),
)
