# python tools/train.py configs/mtformer/mtformer-mtl_resnet50_pascal.py
#
# MTFormer's multi-task CNN baseline: ResNet-50 dilated to 1/8 and a DeepLab-v3 head per task, PASCAL-Context with
# classes, human parts and saliency, 512x512.
# Published (MTFormer, ECCV 2022, results on PASCAL-Context): mIoU 61.87, of human parts mIoU 60.97, of saliency mIoU
# 64.68.
# Size: 71.892 M parameters. No code of it is released; losses, pictures and schedule are those of MTFormer, the rate is
# the 1e-4 of the survey whose code it builds on.
_base_ = [
    '../_base_/protocols/survey_pascal.py',
    '../_base_/backbones/resnet50_dilated.py',
    '../_base_/schedules/adamw_100e_poly.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='DeepLabHead', in_channels=2048),
    losses=_base_.losses,
    weighting=dict(type='FixedWeighting', weights=dict(semseg=1.0, human_parts=2.0, saliency=30.0)),
)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
