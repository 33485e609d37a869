_base_ = '../loaders.py'
# NYUD (classes, depth) and PASCAL-Context (classes, human parts, saliency) together, each as in survey_nyud.py and
# survey_pascal.py: its own size, augmentation and metrics. Batches are of one data set and take turns, so that an epoch
# is as long as two passes over PASCAL-Context, which is the larger; NYUD is seen more than six times in it.
# A batch supervises the tasks of its own data set. Each data set is scored apart, under nyud/ and pascal/.
nyud_size, pascal_size = (480, 640), (512, 512)
nyud_root, pascal_root = 'data/nyud', 'data/pascal'
tasks = dict(
    semseg_nyud=dict(type='SemSeg', num_classes=40),
    depth=dict(type='Depth'),
    semseg_pascal=dict(type='SemSeg', num_classes=21),
    human_parts=dict(type='HumanParts', num_classes=7),
    saliency=dict(type='Saliency', channels=1),
)
nyud_labels = dict(semseg_nyud='semseg', depth='depth')
pascal_labels = dict(semseg_pascal='semseg', human_parts='human_parts', saliency='saliency')
losses = dict(
    semseg_nyud=dict(type='CrossEntropyLoss'),
    depth=dict(type='L1Loss', below=6.5535),
    semseg_pascal=dict(type='CrossEntropyLoss'),
    human_parts=dict(type='CrossEntropyLoss'),
    saliency=dict(type='BalancedBCELoss', pos_weight=None),
)
weighting = dict(
    type='UncertaintyWeighting',
    form='mtformer',
    weights=dict(semseg_nyud=1.0, depth=1.0, semseg_pascal=1.0, human_parts=2.0, saliency=30.0),
)
data_preprocessor = dict(
    type='MultiTaskDataPreprocessor',
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    channels_last=False,
)
train_dataloader = dict(
    batch_size=4,
    drop_last=False,
    batch_sampler=dict(type='JointBatchSampler', ratios=dict(nyud=1, pascal=1)),
    dataset=dict(
        type='JointDataset',
        datasets=dict(
            nyud=dict(
                type='NYUD',
                data_root=nyud_root,
                split='train',
                tasks=tasks,
                labels=nyud_labels,
                pipeline=[
                    dict(type='RandomFlip', prob=0.5),
                    dict(type='RandomScale', choices=(1.0, 1.2, 1.5), keep_size=True),
                    dict(type='Resize', size=nyud_size),
                    dict(type='PackMultiTaskInputs'),
                ],
            ),
            pascal=dict(
                type='PASCALContext',
                data_root=pascal_root,
                split='train',
                tasks=tasks,
                labels=pascal_labels,
                pipeline=[
                    dict(type='RandomFlip', prob=0.5),
                    dict(type='RandomRotate', degrees=20),
                    dict(type='RandomScale', scale=(0.75, 1.25), keep_size=True),
                    dict(type='Resize', size=pascal_size),
                    dict(type='PackMultiTaskInputs'),
                ],
            ),
        ),
    ),
)
val_dataloader = dict(
    batch_size=4,
    batch_sampler=dict(type='UnmixedBatchSampler'),
    dataset=dict(
        type='JointDataset',
        datasets=dict(
            nyud=dict(
                type='NYUD',
                data_root=nyud_root,
                split='val',
                tasks=tasks,
                labels=nyud_labels,
                pipeline=[dict(type='Resize', size=nyud_size, labels=False), dict(type='PackMultiTaskInputs')],
                test_mode=True,
            ),
            pascal=dict(
                type='PASCALContext',
                data_root=pascal_root,
                split='val',
                tasks=tasks,
                labels=pascal_labels,
                pipeline=[dict(type='Resize', size=pascal_size, labels=False), dict(type='PackMultiTaskInputs')],
                test_mode=True,
            ),
        ),
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='JointEvaluator',
    evaluators=dict(
        nyud=dict(
            type='MTLEvaluator',
            metrics=[
                dict(type='SegMetric', task='semseg_nyud', protocol='pooled-absent-zero'),
                dict(type='DepthMetric', task='depth', protocol='pixel-pooled/0-6.5535'),
            ],
            primary=dict(semseg_nyud='mIoU', depth='rmse'),
        ),
        pascal=dict(
            type='MTLEvaluator',
            metrics=[
                dict(type='SegMetric', task='semseg_pascal', protocol='pooled-absent-zero'),
                dict(type='SegMetric', task='human_parts', protocol='persons-absent-zero'),
                dict(type='SaliencyMetric', task='saliency', protocol='astmt'),
            ],
            primary=dict(semseg_pascal='mIoU', human_parts='mIoU', saliency='mIoU'),
        ),
    ),
)
test_evaluator = val_evaluator
