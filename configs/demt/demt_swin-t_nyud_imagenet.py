# python tools/train.py configs/demt/demt_swin-t_nyud_imagenet.py
#
# DeMT as in demt_swin-t_nyud.py, but from a backbone trained on ImageNet-1K, as the paper says and other methods do:
# the one to compare with them. Nothing is published for it, for the published rows are of ADE20K.
_base_ = './demt_swin-t_nyud.py'
model = dict(
    backbone=dict(
        init_cfg=dict(
            checkpoint='https://download.openmmlab.com/mmclassification/v0/swin-transformer/convert/'
            'swin_tiny_patch4_window7_224-160bb0a5.pth',
        )
    ),
)
# The published single-task row of this backbone is of one trained on ADE20K: make a baseline by the STL config.
val_evaluator = dict(baseline=None)
test_evaluator = dict(baseline=None)
