# Swin-B, 86.745 M parameters: four maps at 1/4 to 1/32, each normalised; drop path 0.1, as in the code of DeMT.
# Weights of UPerNet, trained on ADE20K from ImageNet-22K: the backbone of the file that OpenMMLab publishes.
backbone = dict(
    type='mmpretrain.SwinTransformer',
    arch='base',
    out_indices=(0, 1, 2, 3),
    drop_path_rate=0.1,
    pad_small_map=True,
    with_cp=False,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='https://download.openmmlab.com/mmsegmentation/v0.5/swin/'
        'upernet_swin_base_patch4_window7_512x512_160k_ade20k_pretrain_224x224_22K/'
        'upernet_swin_base_patch4_window7_512x512_160k_ade20k_pretrain_224x224_22K_20210526_211650-762e2178.pth',
        prefix='backbone',
    ),
)
backbone_channels = (128, 256, 512, 1024)
