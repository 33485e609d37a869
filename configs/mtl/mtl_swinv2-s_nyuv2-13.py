# python tools/train.py configs/mtl/mtl_swinv2-s_nyuv2-13.py
#
# MTL (hard parameter sharing), SwinV2-S, NYUv2 with 13 classes, 288x384; the last map alone is read, at 1/32.
# Published (CTAL, WACV 2025, transformer results on NYUv2): mIoU 57.07, relErr .1500, mErr 24.76, delta_m +2.03.
# Size: 68.832 M parameters.
# Open: only the released code of PASCAL-Context has transformers. Here the protocol is that of CTAL's CNNs, but
# pictures are brought to ImageNet's mean and deviation, as there.
_base_ = [
    '../_base_/protocols/mtan_nyuv2-13.py',
    '../_base_/backbones/swinv2-s.py',
    '../_base_/schedules/adam_200e_cosine.py',
    '../_base_/default_runtime.py',
]
data_preprocessor = dict(_base_.data_preprocessor, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(type='PyramidConcat'),
    heads=dict(type='DeepLabHead', in_channels=768),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
