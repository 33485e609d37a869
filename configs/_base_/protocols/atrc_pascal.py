_base_ = ['./atrc.py', '../loaders.py']
# PASCAL-Context, 4998 / 5105 images, crops of 512x512, to which test images are padded.
# Saliency has two channels; a picture or crop without a person says nothing about human parts. Boundaries: positive
# weight 0.95, and the published odsF is of the SEISM tool, which is the protocol 'astmt' here.
input_size = (512, 512)
data_root = 'data/pascal'
tasks = dict(
    semseg=dict(type='SemSeg', num_classes=21),
    human_parts=dict(type='HumanParts', num_classes=7),
    saliency=dict(type='Saliency', channels=2),
    normals=dict(type='Normals'),
    boundary=dict(type='Boundary'),
)
losses = dict(
    semseg=dict(type='CrossEntropyLoss'),
    human_parts=dict(type='CrossEntropyLoss'),
    saliency=dict(type='BalancedBCELoss', pos_weight=None),
    normals=dict(type='L1Loss', normalize=True, average='pixels'),
    boundary=dict(type='BalancedBCELoss', pos_weight=0.95),
)
weighting = dict(
    type='FixedWeighting',
    weights=dict(semseg=1.0, human_parts=2.0, saliency=5.0, normals=10.0, boundary=50.0),
)
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
    dataset=dict(type='PASCALContext', data_root=data_root, split='train', tasks=tasks, pipeline=train_pipeline),
)
val_dataloader = dict(
    dataset=dict(
        type='PASCALContext',
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
        dict(type='SegMetric', task='human_parts', protocol='persons-absent-zero'),
        dict(type='SaliencyMetric', task='saliency', protocol='atrc'),
        dict(type='NormalsMetric', task='normals', protocol='atan2'),
        dict(type='BoundaryMetric', task='boundary', protocol='astmt', workers=4),
    ],
    baseline='auto',
    force=False,
    primary=dict(semseg='mIoU', human_parts='mIoU', saliency='maxF', normals='mErr', boundary='odsF'),
)
test_evaluator = val_evaluator
