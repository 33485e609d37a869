# python tools/train.py configs/mtformer/mtformer-mtl_resnet50_nyud.py
#
# MTFormer's multi-task CNN baseline: ResNet-50 dilated to 1/8 and a DeepLab-v3 head per task, NYUD with 40 classes and
# depth, 480x640.
# Published (MTFormer, ECCV 2022, results on NYUD-v2): mIoU 42.05, rmse .521, delta_m -2.61.
# Size: 55.769 M parameters. No code of it is released; losses, pictures and schedule are those of MTFormer, the rate is
# the 1e-4 of the survey whose code it builds on.
_base_ = [
    '../_base_/protocols/survey_nyud.py',
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
    weighting=dict(type='FixedWeighting', weights=dict(semseg=1.0, depth=1.0)),
)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
