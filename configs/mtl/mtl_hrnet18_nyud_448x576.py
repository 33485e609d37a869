# python tools/train.py configs/mtl/mtl_hrnet18_nyud_448x576.py
#
# MTL (hard parameter sharing), HRNet-W18-small-v2, NYUD with 40 classes, depth, normals and boundaries, 448x576: the
# protocol of InvPT's family. Nothing is published of this network in it; the schedule is ATRC's (InvPT, for ViT-L:
# Adam, 2e-5, batches of 2).
# Size: 4.516 M parameters.
_base_ = [
    '../_base_/protocols/invpt_nyud.py',
    '../_base_/backbones/hrnet18.py',
    '../_base_/schedules/sgd_40k_poly.py',
    '../_base_/iter_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='FCNHead', in_channels=sum(_base_.backbone_channels)),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
