# python tools/train.py configs/pad_net/pad_net_swinv2-s_pascal.py
#
# PAD-Net, SwinV2-S, PASCAL-Context with five tasks, 512x512; the last map alone is read, at 1/32.
# Published (CTAL, WACV 2025, Table 3): mIoU 73.27, of human parts mIoU 60.22, maxF 83.40, mErr 16.44, edgeLoss .0235,
# delta_m -1.86.
# Size: 88.531 M parameters.
_base_ = '../mtl/mtl_swinv2-s_pascal.py'
model = dict(
    neck=dict(_delete_=True, type='PADNet', in_channels=_base_.backbone_channels, fuse=False, with_cp=False),
    heads=dict(in_channels=256),
)
