# python tools/train.py configs/stl/stl_swin-b_nyud_imagenet.py
#
# STL: one network per task, Swin-B trained on ImageNet-22K, then 1K, NYUD with 40 classes, depth, normals and
# boundaries, 425x560.
# Nothing is published for it.
# Size: 355.834 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_swin-b_nyud_imagenet.py'
model = dict(type='STL')
