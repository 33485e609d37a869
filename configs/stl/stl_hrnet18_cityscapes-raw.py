# python tools/train.py configs/stl/stl_hrnet18_cityscapes-raw.py
#
# STL: one network per task, HRNet-W18-small-v2, Cityscapes as released with 19 classes, metric depth and normals,
# 512x1024.
# Nothing is published with this backbone.
_base_ = '../mtl/mtl_hrnet18_cityscapes-raw.py'
model = dict(type='STL')
