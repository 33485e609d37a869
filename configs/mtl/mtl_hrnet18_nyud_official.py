# python tools/train.py configs/mtl/mtl_hrnet18_nyud_official.py
#
# MTL (hard parameter sharing), HRNet-W18-small-v2, NYUD, as mtl_hrnet18_nyud.py, on what the official .mat becomes:
#   python tools/data.py convert nyud-c nyu_depth_v2_labeled.mat data/nyud-official --splits splits.mat \
#       --classes classMapping40.mat
# Nothing is published on these boundaries and normals, which the converter computes.
_base_ = './mtl_hrnet18_nyud.py'
data_root = 'data/nyud-official'
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(baseline=None)  # the published one is of other boundaries and normals
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='semseg/mIoU'))
