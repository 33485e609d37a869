# python tools/train.py configs/mtformer/mtformer_swin-s_nyud-pascal.py
#
# MTFormer, Swin-S, one network of five branches for NYUD (classes, depth; 480x640) and PASCAL-Context (classes, human
# parts, saliency; 512x512), trained on both: what the paper calls zero-shot. A batch is of one data set and supervises
# that one's branches alone; all branches run on both data sets at test.
# Published (MTFormer, ECCV 2022, Table 12, with ZSL): on NYUD mIoU 48.26, rmse .480; on PASCAL-Context mIoU 70.18, of
# human parts mIoU 61.47, of saliency mIoU 67.59. No code of it is public: that batches take turns, the learning rate
# and the length are our choice, and so is that there is no contrast, as the row without ZSL is near that without CL.
# Size: 99.749 M parameters.
_base_ = [
    '../_base_/protocols/survey_nyud-pascal.py',
    '../_base_/backbones/swin-s.py',
    '../_base_/schedules/adamw_100e_poly.py',
    '../_base_/default_runtime.py',
]
classes = dict(type='HighResolutionHead', in_channels=256, bias=False, upsample=2)
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=_base_.backbone,
    neck=dict(
        type='MTFormer',
        in_channels=_base_.backbone_channels,
        cross_attention=True,
        contrast='none',
        contrast_options=None,
        with_cp=False,
    ),
    heads=dict(
        semseg_nyud=classes,
        depth=dict(type='NarrowingHead', in_channels=256, mid_channels=(128, 32), positive=True),
        semseg_pascal=classes,
        human_parts=classes,
        saliency=dict(type='HighResolutionHead', in_channels=256, bias=False, upsample=1),
    ),
    losses=_base_.losses,
    weighting=_base_.weighting,
    skip_unlabelled=True,
)
default_hooks = dict(checkpoint=dict(save_best='nyud/semseg_nyud/mIoU'))
