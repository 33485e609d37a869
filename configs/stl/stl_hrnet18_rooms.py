# python tools/train.py configs/stl/stl_hrnet18_rooms.py
#
# STL: one network per task, HRNet-W18-small-v2 from scratch on generated rooms at 48x64.
# Nothing is published on rooms.
_base_ = '../mtl/mtl_hrnet18_rooms.py'
model = dict(type='STL')
