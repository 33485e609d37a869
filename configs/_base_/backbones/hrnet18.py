# HRNet-W18-small-v2, 3.861 M parameters, four maps at 1/4 to 1/32.
# ImageNet weights: the file that OpenMMLab publishes of the official release. From scratch: init_cfg=None.
backbone = dict(
    type='HRNet',
    arch='w18-small-v2',
    with_cp=False,
    init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://msra/hrnetv2_w18_small'),
)
backbone_channels = (18, 36, 72, 144)
