# After VTAGML's code: AdamW with its betas and a peak rate of 4e-5. There one cycle per step with 10 % of warm-up;
# here 500 steps of warm-up and a cosine. The epochs are ours, as the paper states none.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=4e-5, betas=(0.9, 0.98)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=500),
    dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, convert_to_iter_based=True),
]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
