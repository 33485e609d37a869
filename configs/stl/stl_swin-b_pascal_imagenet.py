# python tools/train.py configs/stl/stl_swin-b_pascal_imagenet.py
#
# STL: one network per task, Swin-B trained on ImageNet-22K, then 1K, PASCAL-Context with five tasks, 512x512.
# Nothing is published for it.
# Size: 444.790 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_swin-b_pascal_imagenet.py'
model = dict(type='STL')
