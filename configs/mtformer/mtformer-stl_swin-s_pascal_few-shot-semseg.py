# python tools/train.py configs/mtformer/mtformer-stl_swin-s_pascal_few-shot-semseg.py
#
# The single-task baseline of mtformer_swin-s_pascal_few-shot-semseg.py: one network for semantic classes, trained on
# the 40 labelled images alone. The baselines of the other two tasks are in mtformer-stl_swin-s_pascal.py.
# Published (MTFormer, ECCV 2022, few-shot semantic segmentation): mIoU 3.34.
# Size: 57.146 M parameters, of them 3.148 M in patch embeddings that nothing uses.
_base_ = './mtformer-stl_swin-s_pascal.py'
few = dict(_delete_=True, semseg=_base_.tasks.semseg)
model = dict(
    tasks=few,
    heads=dict(_delete_=True, semseg=_base_.model.heads.semseg),
    losses=dict(_delete_=True, semseg=_base_.losses.semseg),
    weighting=dict(weights=dict(_delete_=True, semseg=1.0)),
)
train_dataloader = dict(
    dataset=dict(tasks=few, labelled_only=dict(semseg=dict(count=40, seed=0)), drop_unlabelled=True)
)
val_dataloader = dict(dataset=dict(tasks=few))
test_dataloader = val_dataloader
val_evaluator = dict(
    metrics=[dict(type='SegMetric', task='semseg', protocol='pooled-absent-zero')],
    baseline=None,  # the published one was trained on all labels
    primary=dict(_delete_=True, semseg='mIoU'),
)
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='semseg/mIoU'))
