_base_ = ['./atrc.py', '../loaders.py']
# NYUD, 40 classes, 795 / 654 images, crops of 425x560: the size of the layout nyud-c (docs/data.md). The other layouts
# are read too; pictures of nyud-b are then tested at 480x640.
# Boundaries: positive weight 0.8, and the published odsF is of the SEISM tool, which is the protocol 'astmt/nyud' here.
input_size = (425, 560)
data_root = 'data/nyud'
tasks = dict(
    semseg=dict(type='SemSeg', num_classes=40),
    depth=dict(type='Depth'),
    normals=dict(type='Normals'),
    boundary=dict(type='Boundary'),
)
losses = dict(
    semseg=dict(type='CrossEntropyLoss'),
    depth=dict(type='L1Loss'),
    normals=dict(type='L1Loss', normalize=True, average='pixels'),
    boundary=dict(type='BalancedBCELoss', pos_weight=0.8),
)
weighting = dict(type='FixedWeighting', weights=dict(semseg=1.0, depth=1.0, normals=10.0, boundary=50.0))
data_preprocessor = dict(
    type='MultiTaskDataPreprocessor',
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    min_size=input_size,
)
train_pipeline = [
    dict(type='RandomScaleCrop', scale=(0.5, 2.0), size=input_size, pad=False, cat_max=0.75, cat_task='semseg'),
    dict(type='RandomFlip', prob=0.5),
    _base_.photometric,
    dict(type='PackMultiTaskInputs'),
]
train_dataloader = dict(
    sampler=dict(type='InfiniteSampler'),
    dataset=dict(type='NYUD', data_root=data_root, split='train', tasks=tasks, pipeline=train_pipeline),
)
val_dataloader = dict(
    dataset=dict(
        type='NYUD',
        data_root=data_root,
        split='val',
        tasks=tasks,
        pipeline=_base_.test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='MTLEvaluator',
    metrics=[
        dict(type='SegMetric', task='semseg', protocol='pooled-absent-zero'),
        dict(type='DepthMetric', task='depth', protocol='pixel-pooled'),
        dict(type='NormalsMetric', task='normals', protocol='atan2'),
        dict(type='BoundaryMetric', task='boundary', protocol='astmt/nyud', workers=4),
    ],
    baseline='auto',
    force=False,
    primary=dict(semseg='mIoU', depth='rmse', normals='mErr', boundary='odsF'),
)
test_evaluator = val_evaluator
