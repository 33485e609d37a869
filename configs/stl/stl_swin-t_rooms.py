# python tools/train.py configs/stl/stl_swin-t_rooms.py
#
# STL: one network per task, Swin-T from scratch on generated rooms at 48x64.
# Nothing is published on rooms.
_base_ = '../mtl/mtl_swin-t_rooms.py'
model = dict(type='STL')
