# python tools/train.py configs/demt/demt_efficientnet-lite0_rooms.py
#
# DeMT, EfficientNet-Lite0 trained on ImageNet, on generated rooms at 48x64.
# Nothing is published on rooms. The decoder has half of the published widths, as in demt_hrnet18_rooms.py.
_base_ = '../mtl/mtl_efficientnet-lite0_rooms.py'
model = dict(
    neck=dict(
        _delete_=True,
        type='DeMT',
        in_channels=_base_.backbone_channels,
        channels=64,
        deform_impl='auto',
        with_cp=False,
    ),
    heads=dict(_delete_=True, type='FCNHead', in_channels=64, mid_channels=33),
)
