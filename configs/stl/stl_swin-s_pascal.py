# python tools/train.py configs/stl/stl_swin-s_pascal.py
#
# STL: one network per task, Swin-S trained on ADE20K, PASCAL-Context with five tasks, 512x512.
# Nothing is published for it.
# Size: 250.418 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_swin-s_pascal.py'
model = dict(type='STL')
