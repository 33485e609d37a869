# ViT-L with patches of 16, and a pyramid of four maps at 1/4 to 1/32 made of its last one: 325.717 M parameters.
# The transformer pads images to whole patches; where the preprocessor does so, what is added is cut off again.
# Weights of ImageNet-21K, tuned on ImageNet-1K at 384x384: the file that OpenMMLab publishes of the official release.
backbone = dict(
    type='SimplePyramid',
    in_channels=1024,
    backbone=dict(
        type='mmpretrain.VisionTransformer',
        arch='large',
        img_size=384,
        patch_size=16,
        out_type='featmap',
        out_indices=(23,),
        drop_path_rate=0.1,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmclassification/v0/vit/finetune/'
            'vit-large-p16_in21k-pre-3rdparty_ft-64xb64_in1k-384_20210928-b20ba619.pth',
            prefix='backbone',
        ),
    ),
)
backbone_channels = (1024, 1024, 1024, 1024)
backbone_input = dict(size_divisor=16)
