# Swin-B, 86.745 M parameters: four maps at 1/4 to 1/32, each normalised; drop path 0.1.
# Weights of ImageNet-22K, tuned on ImageNet-1K: the file that OpenMMLab publishes of the official release.
backbone = dict(
    type='mmpretrain.SwinTransformer',
    arch='base',
    out_indices=(0, 1, 2, 3),
    drop_path_rate=0.1,
    pad_small_map=True,
    with_cp=False,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='https://download.openmmlab.com/mmclassification/v0/swin-transformer/convert/'
        'swin_base_patch4_window7_224_22kto1k-f967f799.pth',
        prefix='backbone',
    ),
)
backbone_channels = (128, 256, 512, 1024)
