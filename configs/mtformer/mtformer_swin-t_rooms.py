# python tools/train.py configs/mtformer/mtformer_swin-t_rooms.py
#
# MTFormer, Swin-T from scratch on generated rooms at 48x64: needs no data and no download.
# Nothing is published on rooms. As suits so small images, all four maps are read, so that the decoder works at 1/4, and
# windows have 4 pixels; the decoder has half of the published width.
_base_ = [
    '../_base_/protocols/mtan_rooms.py',
    '../_base_/backbones/swin-t.py',
    '../_base_/schedules/adamw_rooms.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='MultiTaskModel',
    tasks=_base_.tasks,
    data_preprocessor=_base_.data_preprocessor,
    backbone=dict(
        type='mmpretrain.SwinTransformer',
        arch='tiny',
        out_indices=(0, 1, 2, 3),
        window_size=4,
        drop_path_rate=0.0,
        pad_small_map=True,
        with_cp=False,
        init_cfg=None,
    ),
    neck=dict(
        type='MTFormer',
        in_channels=(96, 192, 384, 768),
        channels=128,
        num_blocks=(2, 2, 2),
        window=4,
        cross_attention=True,
        feature_mapping=True,
        feature_fusion=True,
        feature_balance=True,
        unmapped_residual=True,
        update_others=False,
        contrast='nce_bank',
        contrast_options=dict(num_samples=_base_.train_dataloader.dataset.length, num_negatives=64),
        with_cp=False,
    ),
    heads=dict(
        semseg=dict(type='HighResolutionHead', in_channels=128, bias=False, upsample=2),
        depth=dict(type='NarrowingHead', in_channels=128, mid_channels=(64, 32), positive=True),
        normals=dict(type='HighResolutionHead', in_channels=128, bias=False, upsample=2),
    ),
    losses=_base_.losses,
    weighting=_base_.weighting,
)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
