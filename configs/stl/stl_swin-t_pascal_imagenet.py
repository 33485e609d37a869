# python tools/train.py configs/stl/stl_swin-t_pascal_imagenet.py
#
# STL: one network per task, Swin-T trained on ImageNet-1K, PASCAL-Context with five tasks, 512x512.
# Nothing is published for it.
# Size: 143.829 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_swin-t_pascal_imagenet.py'
model = dict(type='STL')
