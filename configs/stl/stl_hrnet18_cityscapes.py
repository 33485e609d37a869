# python tools/train.py configs/stl/stl_hrnet18_cityscapes.py
#
# STL: one network per task, HRNet-W18-small-v2, MTAN's Cityscapes with 19 classes and disparity, 128x256.
# Published (CTAL, WACV 2025, table of Cityscapes): mIoU 48.89, relErr 29.91; mean of three seeds.
# Size: 7.874 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_hrnet18_cityscapes.py'
model = dict(type='STL')
