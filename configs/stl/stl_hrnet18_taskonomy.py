# python tools/train.py configs/stl/stl_hrnet18_taskonomy.py
#
# STL: one network per task, HRNet-W18-small-v2, Taskonomy (tiny) with 17 classes, depth, normals and texture edges,
# 224x224.
# Nothing is published with this backbone.
_base_ = '../mtl/mtl_hrnet18_taskonomy.py'
model = dict(type='STL')
