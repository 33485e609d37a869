# python tools/train.py configs/stl/stl_swin-l_pascal.py
#
# STL: one network per task, Swin-L trained on ImageNet-22K, then 1K, PASCAL-Context with five tasks, 512x512.
# Nothing is published for it.
# Size: 999.883 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_swin-l_pascal.py'
model = dict(type='STL')
