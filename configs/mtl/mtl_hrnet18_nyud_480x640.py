# python tools/train.py configs/mtl/mtl_hrnet18_nyud_480x640.py
#
# MTL (hard parameter sharing), HRNet-W18-small-v2, NYUD with 40 classes and depth, 480x640: the survey's protocol, with
# MTFormer's schedule and uncertainty weights. Nothing is published of this network in it.
# Size: 4.189 M parameters.
_base_ = [
    '../_base_/protocols/survey_nyud.py',
    '../_base_/backbones/hrnet18.py',
    '../_base_/schedules/adamw_100e_poly.py',
    '../_base_/default_runtime.py',
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
