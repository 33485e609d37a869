_base_ = '../loaders.py'
# MTAN's Cityscapes, as the CNN half of CTAL uses it: 128x256, 2975 / 500 images, 19 classes, disparity (which papers
# print as depth), cross-entropy and L1 weighted 1 : 10, the image as it is stored (0..1), horizontal flips.
# With 7 classes, as MTAN: --cfg-options tasks.semseg.num_classes=7 labels.semseg=semseg_7
# relErr divides by disparities near 0 and is printed as a plain ratio (23.84), as papers do.
input_size = (128, 256)
data_root = 'data/cityscapes-mtan'
tasks = dict(
    semseg=dict(type='SemSeg', num_classes=19),
    disparity=dict(type='Disparity'),
)
labels = dict(semseg='semseg', disparity='disparity')
losses = dict(
    semseg=dict(type='CrossEntropyLoss'),
    disparity=dict(type='L1Loss'),
)
weighting = dict(type='FixedWeighting', weights=dict(semseg=1.0, disparity=10.0))
data_preprocessor = dict(type='MultiTaskDataPreprocessor', mean=(0, 0, 0), std=(255, 255, 255), channels_last=False)
train_dataloader = dict(
    num_workers=2,
    dataset=dict(
        type='CityscapesMTAN',
        data_root=data_root,
        split='train',
        tasks=tasks,
        labels=labels,
        pipeline=[dict(type='RandomFlip', prob=0.5), dict(type='PackMultiTaskInputs')],
    ),
)
val_dataloader = dict(
    num_workers=2,
    dataset=dict(
        type='CityscapesMTAN',
        data_root=data_root,
        split='val',
        tasks=tasks,
        labels=labels,
        pipeline=[dict(type='PackMultiTaskInputs')],
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='MTLEvaluator',
    metrics=[
        dict(type='SegMetric', task='semseg', protocol='pooled-absent-skipped'),
        dict(type='DisparityMetric', task='disparity', protocol='pixel-pooled'),
    ],
    baseline='auto',
    force=False,
    primary=dict(semseg='mIoU', disparity='relErr'),
)
test_evaluator = val_evaluator
