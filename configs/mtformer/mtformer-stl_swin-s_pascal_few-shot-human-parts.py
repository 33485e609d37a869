# python tools/train.py configs/mtformer/mtformer-stl_swin-s_pascal_few-shot-human-parts.py
#
# The single-task baseline of mtformer_swin-s_pascal_few-shot-human-parts.py: one network for human parts, trained on
# the 40 labelled images alone. The baselines of the other two tasks are in mtformer-stl_swin-s_pascal.py.
# Published (MTFormer, ECCV 2022, few-shot human parts): of human parts mIoU 11.27.
# Size: 57.143 M parameters, of them 3.148 M in patch embeddings that nothing uses.
_base_ = './mtformer-stl_swin-s_pascal.py'
few = dict(_delete_=True, human_parts=_base_.tasks.human_parts)
model = dict(
    tasks=few,
    heads=dict(_delete_=True, human_parts=_base_.model.heads.human_parts),
    losses=dict(_delete_=True, human_parts=_base_.losses.human_parts),
    weighting=dict(weights=dict(_delete_=True, human_parts=2.0)),
)
train_dataloader = dict(
    dataset=dict(tasks=few, labelled_only=dict(human_parts=dict(count=40, seed=0)), drop_unlabelled=True)
)
val_dataloader = dict(dataset=dict(tasks=few))
test_dataloader = val_dataloader
val_evaluator = dict(
    metrics=[dict(type='SegMetric', task='human_parts', protocol='persons-absent-zero')],
    baseline=None,  # the published one was trained on all labels
    primary=dict(_delete_=True, human_parts='mIoU'),
)
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='human_parts/mIoU'))
