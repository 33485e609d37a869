# python tools/train.py configs/pap_net/pap_net_hrnet18_nyuv2-13.py
#
# PAP-Net, HRNet-W18-small-v2, NYUv2 with 13 classes, 288x384.
# Published (CTAL, WACV 2025, Table 1): mIoU 50.00, relErr .1615, mErr 23.78, delta_m +0.04; mean of three seeds.
# Size: 4.780 M parameters, 0.405 of STL. Published MACs are those of two iterations, the released config says one;
# as it: model.neck.iterations=1.
_base_ = [
    '../_base_/protocols/mtan_nyuv2-13.py',
    '../_base_/backbones/hrnet18.py',
    '../_base_/schedules/adam_200e_cosine.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(
        type='PAPNet',
        in_channels=_base_.backbone_channels,
        iterations=2,
        normalise_over='positions',
        divide='columns',
        impl='auto',
        with_cp=False,
    ),
    heads=dict(type='BottleneckHead', in_channels=128, mid_channels=32),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
