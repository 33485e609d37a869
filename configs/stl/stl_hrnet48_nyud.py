# python tools/train.py configs/stl/stl_hrnet48_nyud.py
#
# STL: one network per task, HRNet-W48, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Nothing is published for it.
# Size: 265.976 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_hrnet48_nyud.py'
model = dict(type='STL')
