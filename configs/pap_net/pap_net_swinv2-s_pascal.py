# python tools/train.py configs/pap_net/pap_net_swinv2-s_pascal.py
#
# PAP-Net, SwinV2-S, PASCAL-Context with five tasks, 512x512; the last map alone is read, at 1/32.
# Published (CTAL, WACV 2025, Table 3): mIoU 72.75, of human parts mIoU 60.32, maxF 83.22, mErr 16.52, edgeLoss .0235,
# delta_m -1.83.
# Size: 60.352 M parameters.
_base_ = '../mtl/mtl_swinv2-s_pascal.py'
model = dict(
    neck=dict(
        _delete_=True, type='PAPNet', in_channels=_base_.backbone_channels, fuse=False, iterations=2, with_cp=False
    ),
    heads=dict(in_channels=128),
)
