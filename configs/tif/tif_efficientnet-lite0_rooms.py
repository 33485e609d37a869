# python tools/train.py configs/tif/tif_efficientnet-lite0_rooms.py
#
# TIF, reconstructed from the paper, EfficientNet-Lite0 trained on ImageNet, on generated rooms at 48x64.
# Nothing is published on rooms. The widths are those of tif_hrnet18_rooms.py.
_base_ = '../mtl/mtl_efficientnet-lite0_rooms.py'
model = dict(
    neck=dict(
        _delete_=True,
        type='TIF',
        in_channels=_base_.backbone_channels,
        channels=32,
        out_channels=64,
        with_cp=False,
    ),
    heads=dict(_delete_=True, type='FCNHead', in_channels=64, mid_channels=64),
)
