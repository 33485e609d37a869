# python tools/train.py configs/stl/stl_swin-l_nyud.py
#
# STL: one network per task, Swin-L trained on ImageNet-22K, then 1K, NYUD with 40 classes, depth, normals and
# boundaries, 425x560.
# Nothing is published for it.
# Size: 799.909 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_swin-l_nyud.py'
model = dict(type='STL')
