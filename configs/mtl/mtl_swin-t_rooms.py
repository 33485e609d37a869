# python tools/train.py configs/mtl/mtl_swin-t_rooms.py
#
# MTL (hard parameter sharing), Swin-T from scratch on generated rooms at 48x64: needs no data and no download.
# Nothing is published on rooms. Windows have 4 pixels, as in mtformer_swin-t_rooms.py.
_base_ = '../mtformer/mtformer_swin-t_rooms.py'
model = dict(
    neck=dict(_delete_=True, type='PyramidConcat'),
    heads=dict(
        _delete_=True,
        type='BottleneckHead',
        in_channels=sum(_base_.model.neck.in_channels),
        mid_channels=16,
        out_channels=64,
    ),
)
