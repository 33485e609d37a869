_base_ = './mtan.py'
# The protocol of MTAN's NYUv2 on generated rooms, at a small size; the weights are chosen for short trainings.
input_size = (48, 64)
weighting = dict(weights=dict(semseg=0.5, depth=1.0, normals=2.0))
data_preprocessor = dict(channels_last=True)
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='RoomsDataset',
        split='train',
        length=5600,
        size=input_size,
        tasks=_base_.tasks,
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='RoomsDataset',
        split='val',
        length=200,
        size=input_size,
        tasks=_base_.tasks,
        pipeline=_base_.test_pipeline,
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='MTLEvaluator',
    metrics=_base_.metrics,
    baseline=None,
    primary=dict(semseg='mIoU', depth='relErr', normals='mErr'),
)
test_evaluator = val_evaluator
