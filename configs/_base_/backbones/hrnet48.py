# HRNet-W48, 65.325 M parameters, four maps at 1/4 to 1/32.
# ImageNet weights: the file that OpenMMLab publishes of the official release. From scratch: init_cfg=None.
backbone = dict(
    type='HRNet',
    arch='w48',
    with_cp=False,
    init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://msra/hrnetv2_w48'),
)
backbone_channels = (48, 96, 192, 384)
