# python tools/train.py configs/stl/stl_swin-t_nyud.py
#
# STL: one network per task, Swin-T, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Published (DeMT, AAAI 2023, results on NYUD-v2): mIoU 42.92, rmse .6104, mErr 20.94, odsF 76.22.
# Size: 115.065 M parameters. The reference of delta_m.
# The published rmse, mErr and odsF are those of HRNet's row: a typo is suspected.
_base_ = '../mtl/mtl_swin-t_nyud.py'
model = dict(type='STL')
