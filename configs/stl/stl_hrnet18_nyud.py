# python tools/train.py configs/stl/stl_hrnet18_nyud.py
#
# STL: one network per task, HRNet-W18-small-v2, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Published (DeMT, AAAI 2023, results on NYUD-v2): mIoU 38.02, rmse .6104, mErr 20.94, odsF 76.22.
# Size: 16.098 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_hrnet18_nyud.py'
model = dict(type='STL')
