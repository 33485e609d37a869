_base_ = '../loaders.py'
# PASCAL-Context with semantic classes, human parts and saliency, 4998 / 5105 images of 512x512, as the survey's code
# has it and MTFormer uses it: rotation by up to 20 degrees and zoom by 0.75 to 1.25 about the centre, flips, one fixed
# size that does not keep the aspect ratio, ImageNet's mean and deviation. Saliency has one channel.
# Ours differs in one place: images are resampled linearly or by area (there: cubic).
input_size = (512, 512)
data_root = 'data/pascal'
tasks = dict(
    semseg=dict(type='SemSeg', num_classes=21),
    human_parts=dict(type='HumanParts', num_classes=7),
    saliency=dict(type='Saliency', channels=1),
)
losses = dict(
    semseg=dict(type='CrossEntropyLoss'),
    human_parts=dict(type='CrossEntropyLoss'),
    saliency=dict(type='BalancedBCELoss', pos_weight=None),
)
weighting = dict(type='UncertaintyWeighting', form='mtformer', weights=dict(semseg=1.0, human_parts=2.0, saliency=30.0))
data_preprocessor = dict(
    type='MultiTaskDataPreprocessor',
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    channels_last=False,
)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        type='PASCALContext',
        data_root=data_root,
        split='train',
        tasks=tasks,
        pipeline=[
            dict(type='RandomFlip', prob=0.5),
            dict(type='RandomRotate', degrees=20),
            dict(type='RandomScale', scale=(0.75, 1.25), keep_size=True),
            dict(type='Resize', size=input_size),
            dict(type='PackMultiTaskInputs'),
        ],
    ),
)
val_dataloader = dict(
    batch_size=4,
    dataset=dict(
        type='PASCALContext',
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
        dict(type='SegMetric', task='human_parts', protocol='persons-absent-zero'),
        dict(type='SaliencyMetric', task='saliency', protocol='astmt'),
    ],
    baseline='auto',
    force=False,
    primary=dict(semseg='mIoU', human_parts='mIoU', saliency='mIoU'),
)
test_evaluator = val_evaluator
