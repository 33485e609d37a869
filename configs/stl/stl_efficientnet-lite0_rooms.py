# python tools/train.py configs/stl/stl_efficientnet-lite0_rooms.py
#
# STL: one network per task, EfficientNet-Lite0 trained on ImageNet, on generated rooms at 48x64. The reference of
# delta_m for the other configs of this backbone on rooms. Nothing is published on rooms.
_base_ = '../mtl/mtl_efficientnet-lite0_rooms.py'
model = dict(type='STL')
