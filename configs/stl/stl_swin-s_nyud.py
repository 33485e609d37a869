# python tools/train.py configs/stl/stl_swin-s_nyud.py
#
# STL: one network per task, Swin-S trained on ADE20K, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Published (DeMT, AAAI 2023, results on NYUD-v2): mIoU 48.92, rmse .5804, mErr 20.94, odsF 77.2.
# Size: 200.336 M parameters. The reference of delta_m.
_base_ = '../mtl/mtl_swin-s_nyud.py'
model = dict(type='STL')
