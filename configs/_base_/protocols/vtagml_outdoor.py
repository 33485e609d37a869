_base_ = ['./vtagml.py', '../loaders.py']
# What is the same for the outdoor data sets: the 19 classes of Cityscapes, metric depth of which 80 m and more are left
# out of loss and score, and normals computed from it.
tasks = dict(
    semseg=dict(type='SemSeg', num_classes=19),
    depth=dict(type='Depth'),
    normals=dict(type='Normals'),
)
losses = dict(
    semseg=dict(type='CrossEntropyLoss'),
    depth=dict(type='L1Loss', below=80),
    normals=dict(type='L1Loss', normalize=True, average='pixels'),
)
val_evaluator = dict(
    type='MTLEvaluator',
    metrics=[
        dict(type='SegMetric', task='semseg', protocol='pooled-absent-skipped'),
        dict(type='DepthMetric', task='depth', protocol='pixel-pooled/0-80'),
        dict(type='NormalsMetric', task='normals', protocol='atan2'),
    ],
    baseline=None,
    primary=dict(semseg='mIoU', depth='rmse', normals='mErr'),
)
test_evaluator = val_evaluator
