# Swin-T, 27.521 M parameters: four maps at 1/4 to 1/32, each normalised; drop path 0.1, as in the code of DeMT.
# Weights of UPerNet, trained on ADE20K from ImageNet-1K: the backbone of the file that OpenMMLab publishes.
backbone = dict(
    type='mmpretrain.SwinTransformer',
    arch='tiny',
    out_indices=(0, 1, 2, 3),
    drop_path_rate=0.1,
    pad_small_map=True,
    with_cp=False,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='https://download.openmmlab.com/mmsegmentation/v0.5/swin/'
        'upernet_swin_tiny_patch4_window7_512x512_160k_ade20k_pretrain_224x224_1K/'
        'upernet_swin_tiny_patch4_window7_512x512_160k_ade20k_pretrain_224x224_1K_20210531_112542-e380ad3e.pth',
        prefix='backbone',
    ),
)
backbone_channels = (96, 192, 384, 768)
