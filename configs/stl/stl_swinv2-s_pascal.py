# python tools/train.py configs/stl/stl_swinv2-s_pascal.py
#
# STL: one network per task, SwinV2-S, PASCAL-Context with five tasks, 512x512; the last map alone is read, at 1/32.
# Published (CTAL, WACV 2025, Table 3): mIoU 74.07, of human parts mIoU 64.28, maxF 83.95, mErr 16.03, edgeLoss .0241.
# Size: 277.919 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_swinv2-s_pascal.py'
model = dict(type='STL')
