# python tools/train.py configs/ctal/ctal_efficientnet-lite0_rooms.py
#
# CTAL, single scale, EfficientNet-Lite0 trained on ImageNet, on generated rooms at 48x64.
# Nothing is published on rooms. The decoder has half of the published widths, as in ctal_hrnet18_rooms.py.
_base_ = '../mtl/mtl_efficientnet-lite0_rooms.py'
model = dict(
    neck=dict(
        _delete_=True,
        type='CTAL',
        in_channels=_base_.backbone_channels,
        feature_size=(_base_.input_size[0] // 4, _base_.input_size[1] // 4),
        channels=64,
        initial_channels=128,
        initial_mid_channels=32,
        with_cp=False,
    ),
    heads=dict(_delete_=True, type='BottleneckHead', in_channels=64, mid_channels=16),
)
