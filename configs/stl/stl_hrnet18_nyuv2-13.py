# python tools/train.py configs/stl/stl_hrnet18_nyuv2-13.py
#
# STL: one network per task, HRNet-W18-small-v2, NYUv2 with 13 classes, 288x384. The reference of delta_m.
# Published (CTAL, WACV 2025, Table 1): mIoU 49.23, relErr .1636, mErr 23.15; mean of three seeds.
# Size: 11.808 M parameters.
_base_ = '../mtl/mtl_hrnet18_nyuv2-13.py'
model = dict(type='STL')
