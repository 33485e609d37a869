# python tools/train.py configs/stl/stl_swin-t_nyud_imagenet.py
#
# STL: one network per task, Swin-T trained on ImageNet-1K, NYUD with 40 classes, depth, normals and boundaries,
# 425x560.
# Nothing is published for it.
# Size: 115.065 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_swin-t_nyud_imagenet.py'
model = dict(type='STL')
