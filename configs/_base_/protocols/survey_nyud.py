_base_ = '../loaders.py'
# NYUD, 40 classes and depth, 795 / 654 images of 480x640, as the survey's code has it and MTFormer uses it: zoom by 1,
# 1.2 or 1.5 about the centre (depth divided by it), flips, one fixed size, ImageNet's mean and deviation.
# The survey's size is that of the layout nyud-b (docs/data.md); the other layouts are read too and resampled.
# Depths of 6.5535 m and more are left out of loss and score: MTFormer's doing, unusual.
# Ours differs in one place: images are resampled linearly or by area (there: cubic).
input_size = (480, 640)
data_root = 'data/nyud'
tasks = dict(semseg=dict(type='SemSeg', num_classes=40), depth=dict(type='Depth'))
losses = dict(semseg=dict(type='CrossEntropyLoss'), depth=dict(type='L1Loss', below=6.5535))
weighting = dict(type='UncertaintyWeighting', form='mtformer', weights=dict(semseg=1.0, depth=1.0))
data_preprocessor = dict(
    type='MultiTaskDataPreprocessor',
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    channels_last=False,
)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        type='NYUD',
        data_root=data_root,
        split='train',
        tasks=tasks,
        pipeline=[
            dict(type='RandomFlip', prob=0.5),
            dict(type='RandomScale', choices=(1.0, 1.2, 1.5), keep_size=True),
            dict(type='Resize', size=input_size),
            dict(type='PackMultiTaskInputs'),
        ],
    ),
)
val_dataloader = dict(
    batch_size=4,
    dataset=dict(
        type='NYUD',
        data_root=data_root,
        split='val',
        tasks=tasks,
        pipeline=[dict(type='Resize', size=input_size, labels=False), dict(type='PackMultiTaskInputs')],
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='MTLEvaluator',
    metrics=[
        dict(type='SegMetric', task='semseg', protocol='pooled-absent-zero'),
        dict(type='DepthMetric', task='depth', protocol='pixel-pooled/0-6.5535'),
    ],
    baseline='auto',
    force=False,
    primary=dict(semseg='mIoU', depth='rmse'),
)
test_evaluator = val_evaluator
