# python tools/train.py configs/mtl/mtl_hrnet18_rooms_joint.py
#
# MTL on two data sets of generated rooms: one of 48x64 with classes, depth and normals, one of 64x48, three times as
# often, with human parts, saliency and normals. A batch is of one of them, and supervises its own tasks alone.
# The scenes of the one are among those of the other. Needs no data. Nothing is published on rooms.
_base_ = './mtl_hrnet18_rooms.py'
tasks = dict(
    semseg=dict(type='SemSeg', num_classes=13),
    depth=dict(type='Depth'),
    normals=dict(type='Normals'),
    human_parts=dict(type='HumanParts', num_classes=7),
    saliency=dict(type='Saliency', channels=1),
)
model = dict(
    tasks=tasks,
    losses=dict(
        human_parts=dict(type='CrossEntropyLoss'),
        saliency=dict(type='BalancedBCELoss', pos_weight=0.5),
    ),
    weighting=dict(_delete_=True, type='UncertaintyWeighting'),
    skip_unlabelled=True,
)
scenes = dict(type='RoomsDataset', size=(48, 64), tasks=tasks, labels=['semseg', 'depth', 'normals'])
people = dict(type='RoomsDataset', size=(64, 48), tasks=tasks, labels=['human_parts', 'saliency', 'normals'])
train_dataloader = dict(
    drop_last=False,
    batch_sampler=dict(type='JointBatchSampler', ratios=dict(scenes=1, people=3)),
    dataset=dict(
        _delete_=True,
        type='JointDataset',
        datasets=dict(
            scenes=dict(**scenes, length=2800, pipeline=_base_.train_pipeline),
            people=dict(**people, length=8400, pipeline=_base_.train_pipeline),
        ),
    ),
)
val_dataloader = dict(
    batch_sampler=dict(type='UnmixedBatchSampler'),
    dataset=dict(
        _delete_=True,
        type='JointDataset',
        datasets=dict(
            scenes=dict(**scenes, split='val', length=100, pipeline=_base_.test_pipeline),
            people=dict(**people, split='val', length=100, pipeline=_base_.test_pipeline),
        ),
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True,
    type='JointEvaluator',
    evaluators=dict(
        scenes=dict(type='MTLEvaluator', metrics=_base_.metrics),
        people=dict(
            type='MTLEvaluator',
            metrics=[
                dict(type='SegMetric', task='human_parts', protocol='persons-absent-skipped'),
                dict(type='SaliencyMetric', task='saliency', protocol='astmt'),
                dict(type='NormalsMetric', task='normals', protocol='arccos'),
            ],
        ),
    ),
)
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='scenes/semseg/mIoU'))
