# python tools/train.py configs/mtl/mtl_swinv2-s_pascal.py
#
# MTL (hard parameter sharing), SwinV2-S, PASCAL-Context with five tasks, 512x512; the last map alone is read, at 1/32.
# Published (CTAL, WACV 2025, Table 3): mIoU 72.99, of human parts mIoU 60.13, maxF 82.93, mErr 16.76, edgeLoss .0236,
# delta_m -2.40.
# Size: 82.082 M parameters.
_base_ = [
    '../_base_/protocols/ctal_pascal.py',
    '../_base_/backbones/swinv2-s.py',
    '../_base_/schedules/adam_70e_cosine.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='DeepLabHead', in_channels=768),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
