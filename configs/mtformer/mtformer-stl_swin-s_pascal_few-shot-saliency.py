# python tools/train.py configs/mtformer/mtformer-stl_swin-s_pascal_few-shot-saliency.py
#
# The single-task baseline of mtformer_swin-s_pascal_few-shot-saliency.py: one network for saliency, trained on
# the 40 labelled images alone. The baselines of the other two tasks are in mtformer-stl_swin-s_pascal.py.
# Published (MTFormer, ECCV 2022, few-shot saliency): of saliency mIoU 44.39.
# Size: 57.141 M parameters, of them 3.148 M in patch embeddings that nothing uses.
_base_ = './mtformer-stl_swin-s_pascal.py'
few = dict(_delete_=True, saliency=_base_.tasks.saliency)
model = dict(
    tasks=few,
    heads=dict(_delete_=True, saliency=_base_.model.heads.saliency),
    losses=dict(_delete_=True, saliency=_base_.losses.saliency),
    weighting=dict(weights=dict(_delete_=True, saliency=30.0)),
)
train_dataloader = dict(
    dataset=dict(tasks=few, labelled_only=dict(saliency=dict(count=40, seed=0)), drop_unlabelled=True)
)
val_dataloader = dict(dataset=dict(tasks=few))
test_dataloader = val_dataloader
val_evaluator = dict(
    metrics=[dict(type='SaliencyMetric', task='saliency', protocol='astmt')],
    baseline=None,  # the published one was trained on all labels
    primary=dict(_delete_=True, saliency='mIoU'),
)
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='saliency/mIoU'))
