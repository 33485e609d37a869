_base_ = ['./vtagml.py', '../loaders.py']
# Taskonomy, subset tiny, 25 / 5 buildings, 512x512 brought to 224x224: 17 classes (VTAGML counts the ignored one too),
# z-buffer depth (VTAGML's code reads depth_euclidean), normals, texture edges. Another subset:
# --cfg-options train_dataloader.dataset.subset=medium val_dataloader.dataset.subset=medium
input_size = (224, 224)
data_root = 'data/taskonomy'
tasks = dict(
    semseg=dict(type='SemSeg', num_classes=17),
    depth=dict(type='Depth'),
    normals=dict(type='Normals'),
    edge=dict(type='Edge'),
)
labels = dict(semseg='semseg', depth='depth', normals='normals', edge='edge')
losses = dict(
    semseg=dict(type='CrossEntropyLoss'),
    depth=dict(type='L1Loss'),
    normals=dict(type='L1Loss', normalize=True, average='pixels'),
    edge=dict(type='L1Loss'),
)
weighting = dict(weights=dict(edge=1.0))
train_dataloader = dict(
    dataset=dict(
        type='Taskonomy',
        data_root=data_root,
        split='train',
        tasks=tasks,
        labels=labels,
        pipeline=[
            dict(type='Resize', size=input_size),
            dict(type='RandomScaleCrop', scale=(1.0, 1.41), size=input_size),
            dict(type='RandomFlip', prob=0.5),
            _base_.photometric,
            dict(type='PackMultiTaskInputs'),
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        type='Taskonomy',
        data_root=data_root,
        split='val',
        tasks=tasks,
        labels=labels,
        pipeline=[dict(type='Resize', size=input_size, labels=False), dict(type='PackMultiTaskInputs')],
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='MTLEvaluator',
    metrics=[
        dict(type='SegMetric', task='semseg', protocol='pooled-absent-skipped'),
        dict(type='DepthMetric', task='depth', protocol='pixel-pooled'),
        dict(type='NormalsMetric', task='normals', protocol='atan2'),
        dict(type='EdgeMetric', task='edge', protocol='vtagml'),
    ],
    baseline=None,
    primary=dict(semseg='mIoU', depth='rmse', normals='mErr', edge='F1'),
)
test_evaluator = val_evaluator
