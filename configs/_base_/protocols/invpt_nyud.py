_base_ = './atrc_nyud.py'
# NYUD as InvPT and its successors (TaskPrompter, ...) have it: that of ATRC with crops of 448x576, a multiple of 32, to
# which the pictures of nyud-c (425x560) are padded in training and at test. A positive weight of 0.95 for boundaries,
# and the published odsF is of a tool of their own, which is the protocol 'invpt/nyud' here.
# Ours differs in what atrc.py says.
input_size = (448, 576)
losses = dict(boundary=dict(pos_weight=0.95))
data_preprocessor = dict(min_size=input_size)
train_pipeline = [
    dict(type='RandomScaleCrop', scale=(0.5, 2.0), size=input_size, pad=False, cat_max=0.75, cat_task='semseg'),
    dict(type='RandomFlip', prob=0.5),
    _base_.photometric,
    dict(type='PackMultiTaskInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_evaluator = dict(
    metrics=[
        dict(type='SegMetric', task='semseg', protocol='pooled-absent-zero'),
        dict(type='DepthMetric', task='depth', protocol='pixel-pooled'),
        dict(type='NormalsMetric', task='normals', protocol='atan2'),
        dict(type='BoundaryMetric', task='boundary', protocol='invpt/nyud', workers=4),
    ],
)
test_evaluator = val_evaluator
