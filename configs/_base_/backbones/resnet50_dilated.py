# ResNet-50, 23.508 M parameters: the last map alone, dilated so that it is at 1/8.
# ImageNet-1K weights: the file that torchvision publishes. From scratch: init_cfg=None.
backbone = dict(
    type='mmpretrain.ResNet',
    depth=50,
    out_indices=(3,),
    strides=(1, 2, 1, 1),
    dilations=(1, 1, 2, 4),
    zero_init_residual=False,
    with_cp=False,
    init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
)
backbone_channels = (2048,)
