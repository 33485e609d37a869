# python tools/train.py configs/stl/stl_vit-b_nyud.py
#
# STL: one network per task, ViT-B trained on ImageNet-21K, then 1K, with a pyramid of four maps, NYUD with 40 classes,
# depth, normals and boundaries, 425x560.
# Nothing is published for it.
# Size: 415.170 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_vit-b_nyud.py'
model = dict(type='STL')
