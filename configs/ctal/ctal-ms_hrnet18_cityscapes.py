# python tools/train.py configs/ctal/ctal-ms_hrnet18_cityscapes.py
#
# CTAL, multi-scale (CTAL-MS), HRNet-W18-small-v2, MTAN's Cityscapes with 19 classes and disparity, 128x256.
# Published (CTAL, WACV 2025, table of Cityscapes): mIoU 51.94, relErr 22.89, delta_m +14.85; mean of three seeds.
# Size: 8.474 M parameters, 1.076 of STL.
# With MTI-Net's feature propagation as in the released code; without it: model.neck.feature_propagation=False.
_base_ = [
    '../_base_/protocols/mtan_cityscapes.py',
    '../_base_/backbones/hrnet18.py',
    '../_base_/schedules/adam_75e_cosine-restarts.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(
        type='CTALMultiScale',
        in_channels=_base_.backbone_channels,
        feature_size=(_base_.input_size[0] // 4, _base_.input_size[1] // 4),
        affinity_stride=4,
        gamma=0.05,
        kernel_size=3,
        fusion='shared',
        impl='auto',
        on_size_mismatch='error',
        with_cp=False,
        feature_propagation=True,
        initial_reduction='mean',
    ),
    heads=dict(type='BottleneckHead', in_channels=128, mid_channels=32),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
