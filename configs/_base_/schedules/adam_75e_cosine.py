# CTAL on Cityscapes: Adam, 75 epochs, cosine annealing per epoch to 0 over as many epochs as are trained.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=5e-4, weight_decay=1e-4))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True)]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=75, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
