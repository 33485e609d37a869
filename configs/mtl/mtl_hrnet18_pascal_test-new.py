# python tools/train.py configs/mtl/mtl_hrnet18_pascal_test-new.py
#
# MTL (hard parameter sharing), HRNet-W18-small-v2, PASCAL-Context, as mtl_hrnet18_pascal.py, with boundaries scored as
# the survey does: on the 2498 images of ImageSets/Context/test_new.txt, and all else on the 5105 of val.txt. Scores are
# named val/semseg/mIoU, ..., test_new/boundary/odsF.
# Nothing is published with this backbone and this protocol of boundaries.
_base_ = './mtl_hrnet18_pascal.py'
pascal = dict(
    type='PASCALContext', data_root=_base_.data_root, tasks=_base_.tasks, pipeline=_base_.test_pipeline, test_mode=True
)
val_dataloader = dict(
    batch_sampler=dict(type='UnmixedBatchSampler'),
    dataset=dict(
        _delete_=True,
        type='JointDataset',
        datasets=dict(
            val=dict(**pascal, split='val', labels=['semseg', 'human_parts', 'saliency', 'normals']),
            test_new=dict(**pascal, split='test_new', labels=['boundary']),
        ),
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    _delete_=True,
    type='JointEvaluator',
    evaluators=dict(
        val=dict(
            type='MTLEvaluator',
            metrics=_base_.val_evaluator.metrics[:4],
            primary=dict(semseg='mIoU', human_parts='mIoU', saliency='maxF', normals='mErr'),
        ),
        test_new=dict(
            type='MTLEvaluator',
            metrics=[dict(type='BoundaryMetric', task='boundary', protocol='survey', workers=4)],
            primary=dict(boundary='odsF'),
        ),
    ),
)
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='val/semseg/mIoU'))
