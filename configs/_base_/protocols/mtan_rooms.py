_base_ = ['./mtan.py', '../loaders.py']
# The protocol of MTAN's NYUv2 on generated rooms, at a small size; the weights are chosen for short trainings.
# Rooms of this size are rendered in the training process: on two cores, a worker takes from the network more time than
# it saves. With more cores: --cfg-options train_dataloader.num_workers=2
input_size = (48, 64)
weighting = dict(weights=dict(semseg=0.5, depth=1.0, normals=2.0))
data_preprocessor = dict(channels_last=True)
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        type='RoomsDataset',
        split='train',
        length=11200,
        size=input_size,
        tasks=_base_.tasks,
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
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
    baseline='auto',
    force=False,
    primary=dict(semseg='mIoU', depth='relErr', normals='mErr'),
)
test_evaluator = val_evaluator
