# SwinV2-S, 48.959 M parameters: the last map alone, at 1/32, normalised; windows of 8; drop path 0.3.
# ImageNet-1K weights: the file that OpenMMLab publishes of the official release. From scratch: init_cfg=None.
backbone = dict(
    type='mmpretrain.SwinTransformerV2',
    arch='small',
    window_size=8,
    out_indices=(3,),
    drop_path_rate=0.3,
    pad_small_map=True,
    with_cp=False,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='https://download.openmmlab.com/mmclassification/v0/swin-v2/'
        'swinv2-small-w8_3rdparty_in1k-256px_20220803-b01a4332.pth',
        prefix='backbone',
    ),
)
backbone_channels = (768,)
