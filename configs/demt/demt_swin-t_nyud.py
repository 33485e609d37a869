# python tools/train.py configs/demt/demt_swin-t_nyud.py
#
# DeMT, Swin-T, NYUD with 40 classes, depth, normals and boundaries, 425x560.
# Published (DeMT, AAAI 2023, results on NYUD-v2): mIoU 46.36, rmse .5871, mErr 20.65, odsF 76.9, delta_m +3.36.
# Size: 32.070 M parameters.
# As in the released code the backbone was trained on ADE20K; the paper says ImageNet: demt_swin-t_nyud_imagenet.py.
_base_ = [
    '../_base_/protocols/atrc_nyud.py',
    '../_base_/backbones/swin-t_ade20k.py',
    '../_base_/schedules/sgd_40k_poly.py',
    '../_base_/iter_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(
        type='DeMT',
        in_channels=_base_.backbone_channels,
        channels=256,
        num_scales=4,
        depth=1,
        num_heads=4,
        attention='per_pixel',
        kv_stride=1,
        mixer_order='code',
        absolute_coords=True,
        norm_first=False,
        mixer=True,
        interaction=True,
        query=True,
        gated_channels=None,
        keep_unused=True,
        deform_impl='auto',
        with_cp=False,
    ),
    heads=dict(type='FCNHead', in_channels=256, mid_channels=180),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
