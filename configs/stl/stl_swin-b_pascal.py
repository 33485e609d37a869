# python tools/train.py configs/stl/stl_swin-b_pascal.py
#
# STL: one network per task, Swin-B trained on ADE20K, PASCAL-Context with five tasks, 512x512.
# Published (DeMT, AAAI 2023, results on PASCAL-Context): mIoU 74.91, of human parts mIoU 62.13, maxF 82.35, mErr 14.83,
# odsF 73.3.
# Size: 444.790 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_swin-b_pascal.py'
model = dict(type='STL')
