# python tools/train.py configs/stl/stl_swin-b_nyud.py
#
# STL: one network per task, Swin-B trained on ADE20K, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Nothing is published for it.
# Size: 355.834 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_swin-b_nyud.py'
model = dict(type='STL')
