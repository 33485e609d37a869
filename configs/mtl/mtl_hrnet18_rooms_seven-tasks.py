# python tools/train.py configs/mtl/mtl_hrnet18_rooms_seven-tasks.py
#
# MTL with every task that mtlbox knows, weighted by learnt uncertainty, on generated rooms at 48x64. The edges are
# computed from the image. Nothing is published on rooms.
_base_ = './mtl_hrnet18_rooms.py'
tasks = dict(
    semseg=dict(type='SemSeg', num_classes=13),
    human_parts=dict(type='HumanParts', num_classes=7),
    saliency=dict(type='Saliency', channels=1),
    depth=dict(type='Depth'),
    normals=dict(type='Normals'),
    boundary=dict(type='Boundary'),
    edge=dict(type='Edge', sigma=1.0),
)
model = dict(
    tasks=tasks,
    losses=dict(
        human_parts=dict(type='CrossEntropyLoss'),
        saliency=dict(type='BalancedBCELoss', pos_weight=0.5),
        boundary=dict(type='BalancedBCELoss', pos_weight=0.8),
        edge=dict(type='L1Loss'),
    ),
    weighting=dict(_delete_=True, type='UncertaintyWeighting'),
)
train_dataloader = dict(dataset=dict(tasks=tasks))
val_dataloader = dict(dataset=dict(tasks=tasks))
test_dataloader = val_dataloader
val_evaluator = dict(
    metrics=[
        *_base_.metrics,
        dict(type='SegMetric', task='human_parts', protocol='persons-absent-skipped'),
        dict(type='SaliencyMetric', task='saliency', protocol='astmt'),
        dict(type='BoundaryMetric', task='boundary', protocol='invpt', workers=0, dump_dir=None),
        dict(type='EdgeMetric', task='edge', protocol='vtagml'),
    ]
)
test_evaluator = val_evaluator
