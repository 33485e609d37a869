# python tools/train.py configs/stl/stl_vit-b_pascal.py
#
# STL: one network per task, ViT-B trained on ImageNet-21K, then 1K, with a pyramid of four maps, PASCAL-Context with
# five tasks, 512x512.
# Nothing is published for it.
# Size: 518.958 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_vit-b_pascal.py'
model = dict(type='STL')
