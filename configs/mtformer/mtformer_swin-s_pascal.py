# python tools/train.py configs/mtformer/mtformer_swin-s_pascal.py
#
# MTFormer, Swin-S, PASCAL-Context with classes, human parts and saliency, 512x512, as the released code trains it.
# Published (MTFormer, ECCV 2022, results on PASCAL-Context): mIoU 74.15, of human parts mIoU 64.89, of saliency
# mIoU 67.71, delta_m +2.41; the one of the last ten epochs that is best on the images it is scored on.
# Size: 74.264 M parameters (w/o CL 74.116; published 74.12), of them 4.197 M in patch embeddings that nothing uses.
# With three tasks the released code has the scale of the attention right.
_base_ = [
    '../_base_/protocols/survey_pascal.py',
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
        scale_quirk=False,
        legacy_patch_embed=True,
        contrast='nce_bank',
        contrast_options=dict(num_samples=4998, num_negatives=2000),
        with_cp=False,
    ),
    heads=dict(
        semseg=dict(type='HighResolutionHead', in_channels=256, bias=False, upsample=2),
        human_parts=dict(type='HighResolutionHead', in_channels=256, bias=False, upsample=2),
        saliency=dict(type='HighResolutionHead', in_channels=256, bias=False, upsample=1),
    ),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
optim_wrapper = dict(optimizer=dict(lr=2.5e-5))
default_hooks = dict(checkpoint=dict(save_best='delta_m'))
