# python tools/train.py configs/mtformer/mtformer_swin-s_nyud.py
#
# MTFormer, Swin-S, NYUD with 40 classes and depth, 480x640, as the released code trains it.
# Published (MTFormer, ECCV 2022, results on NYUD-v2): mIoU 50.56, rmse .483, delta_m +4.12; the epoch that is best on
# the images it is scored on.
# Size: 64.129 M parameters (w/o CL 64.030; published 64.03), of them 3.148 M in patch embeddings that nothing uses.
# Two errors of the released code are kept here, the scale of the cross-task attention and the unused patch embeddings;
# mtformer_swin-s_nyud_clean.py is without them.
_base_ = [
    '../_base_/protocols/survey_nyud.py',
    '../_base_/backbones/swin-s.py',
    '../_base_/schedules/adamw_100e_poly.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(
        type='MTFormer',
        in_channels=_base_.backbone_channels,
        cross_attention=True,
        feature_mapping=True,
        feature_fusion=True,
        feature_balance=True,
        unmapped_residual=True,
        update_others=False,
        scale_quirk=True,
        legacy_patch_embed=True,
        contrast='nce_bank',
        contrast_options=dict(num_samples=795, num_negatives=700),
        with_cp=False,
    ),
    heads=dict(
        semseg=dict(type='HighResolutionHead', in_channels=256, bias=False, upsample=2),
        depth=dict(type='NarrowingHead', in_channels=256, mid_channels=(128, 32), positive=True),
    ),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
