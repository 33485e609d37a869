# python tools/train.py configs/stl/stl_hrnet18_pascal.py
#
# STL: one network per task, HRNet-W18-small-v2, PASCAL-Context with five tasks, 512x512.
# Published (DeMT, AAAI 2023, results on PASCAL-Context): mIoU 62.23, of human parts mIoU 61.66, maxF 85.08, mErr 13.69,
# odsF 73.06.
# Size: 20.121 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_hrnet18_pascal.py'
model = dict(type='STL')
