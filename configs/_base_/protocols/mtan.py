# What MTAN and the CNN half of CTAL do on NYUv2: three tasks, cross-entropy, L1 and 1 - cosine with equal weights, the
# image as it is stored (0..1), horizontal flips.
# Open in the sources: whether the published NYUv2 numbers were trained with flips. The released flag is off by default
# and also reaches the validation set where it is on; here training images are flipped and others never are.
tasks = dict(
    semseg=dict(type='SemSeg', num_classes=13),
    depth=dict(type='Depth'),
    normals=dict(type='Normals'),
)
losses = dict(
    semseg=dict(type='CrossEntropyLoss'),
    depth=dict(type='L1Loss'),
    normals=dict(type='CosineLoss'),
)
weighting = dict(type='FixedWeighting', weights=dict(semseg=1.0, depth=1.0, normals=1.0))
data_preprocessor = dict(type='MultiTaskDataPreprocessor', mean=(0, 0, 0), std=(255, 255, 255), channels_last=False)
train_pipeline = [
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackMultiTaskInputs'),
]
test_pipeline = [dict(type='PackMultiTaskInputs')]
metrics = [
    dict(type='SegMetric', task='semseg', protocol='pooled-absent-skipped'),
    dict(type='DepthMetric', task='depth', protocol='pixel-pooled'),
    dict(type='NormalsMetric', task='normals', protocol='arccos'),
]
