# python tools/train.py configs/stl/stl_swin-t_pascal.py
#
# STL: one network per task, Swin-T trained on ADE20K, PASCAL-Context with five tasks, 512x512.
# Published (DeMT, AAAI 2023, results on PASCAL-Context): mIoU 67.81, of human parts mIoU 56.32, maxF 82.18, mErr 14.81,
# odsF 70.9.
# Size: 143.829 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_swin-t_pascal.py'
model = dict(type='STL')
