# Swin-T, 27.520 M parameters with the norms of three maps at 1/8 to 1/32; drop path 0.2.
# ImageNet-1K weights: the file that OpenMMLab publishes of the official release. From scratch: init_cfg=None.
backbone = dict(
    type='mmpretrain.SwinTransformer',
    arch='tiny',
    out_indices=(1, 2, 3),
    drop_path_rate=0.2,
    pad_small_map=True,
    with_cp=False,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='https://download.openmmlab.com/mmclassification/v0/swin-transformer/convert/'
        'swin_tiny_patch4_window7_224-160bb0a5.pth',
        prefix='backbone',
    ),
)
backbone_channels = (192, 384, 768)
