# Swin-S, 48.838 M parameters: three maps at 1/8 to 1/32, each normalised; drop path 0.3.
# ImageNet-1K weights: the file that OpenMMLab publishes of the official release. From scratch: init_cfg=None.
backbone = dict(
    type='mmpretrain.SwinTransformer',
    arch='small',
    out_indices=(1, 2, 3),
    drop_path_rate=0.3,
    pad_small_map=True,
    with_cp=False,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='https://download.openmmlab.com/mmclassification/v0/swin-transformer/convert/'
        'swin_small_patch4_window7_224-cc7a01c9.pth',
        prefix='backbone',
    ),
)
backbone_channels = (192, 384, 768)
