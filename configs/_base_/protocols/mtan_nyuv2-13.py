_base_ = ['./mtan.py', '../loaders.py']
# MTAN's NYUv2: 288x384, 795 / 654 images, 13 classes.
input_size = (288, 384)
data_root = 'data/nyuv2-13'
train_dataloader = dict(
    num_workers=2,
    dataset=dict(type='NYUv2', data_root=data_root, split='train', tasks=_base_.tasks, pipeline=_base_.train_pipeline),
)
val_dataloader = dict(
    num_workers=2,
    dataset=dict(
        type='NYUv2',
        data_root=data_root,
        split='val',
        tasks=_base_.tasks,
        pipeline=_base_.test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='MTLEvaluator',
    metrics=_base_.metrics,
    baseline='auto',
    force=False,
    primary=dict(semseg='mIoU', depth='relErr', normals='mErr'),
)
test_evaluator = val_evaluator
