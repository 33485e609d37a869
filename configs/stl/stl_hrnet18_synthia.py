# python tools/train.py configs/stl/stl_hrnet18_synthia.py
#
# STL: one network per task, HRNet-W18-small-v2, SYNTHIA-RAND-CITYSCAPES with Cityscapes' 19 classes, depth and
# normals, 384x640.
# Nothing is published with this backbone.
_base_ = '../mtl/mtl_hrnet18_synthia.py'
model = dict(type='STL')
