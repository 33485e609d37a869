# python tools/train.py configs/stl/stl_hrnet18_vkitti2.py
#
# STL: one network per task, HRNet-W18-small-v2, Virtual KITTI 2 with Cityscapes' 19 classes, depth and normals,
# 192x640.
# Nothing is published with this backbone.
_base_ = '../mtl/mtl_hrnet18_vkitti2.py'
model = dict(type='STL')
