# Swin-T, 27.521 M parameters: four maps at 1/4 to 1/32, each normalised; drop path 0.1.
# ImageNet-1K weights: the file that OpenMMLab publishes of the official release.
backbone = dict(
    type='mmpretrain.SwinTransformer',
    arch='tiny',
    out_indices=(0, 1, 2, 3),
    drop_path_rate=0.1,
    pad_small_map=True,
    with_cp=False,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='https://download.openmmlab.com/mmclassification/v0/swin-transformer/convert/'
        'swin_tiny_patch4_window7_224-160bb0a5.pth',
        prefix='backbone',
    ),
)
backbone_channels = (96, 192, 384, 768)
