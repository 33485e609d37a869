# python tools/train.py configs/stl/stl_swinv2-s_nyuv2-13.py
#
# STL: one network per task, SwinV2-S, NYUv2 with 13 classes, 288x384; the last map alone is read, at 1/32.
# Published (CTAL, WACV 2025, transformer results on NYUv2): mIoU 55.78, relErr .1570, mErr 24.59.
# Size: 166.751 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_swinv2-s_nyuv2-13.py'
model = dict(type='STL')
