# python tools/train.py configs/mtformer/mtformer_efficientnet-lite0_rooms.py
#
# MTFormer, EfficientNet-Lite0 trained on ImageNet, on generated rooms at 48x64.
# Nothing is published on rooms. The decoder is as in mtformer_swin-t_rooms.py: all four maps at 1/4, windows of 4
# pixels, a quarter of the published width.
_base_ = '../mtl/mtl_efficientnet-lite0_rooms.py'
model = dict(
    neck=dict(
        _delete_=True,
        type='MTFormer',
        in_channels=_base_.backbone_channels,
        channels=64,
        window=4,
        with_cp=False,
        contrast='nce_bank',
        contrast_options=dict(num_samples=_base_.train_dataloader.dataset.length, num_negatives=64),
    ),
    heads=dict(
        _delete_=True,
        semseg=dict(type='HighResolutionHead', in_channels=64, bias=False, upsample=2),
        depth=dict(type='NarrowingHead', in_channels=64, mid_channels=(32, 16), positive=True),
        normals=dict(type='HighResolutionHead', in_channels=64, bias=False, upsample=2),
    ),
)
