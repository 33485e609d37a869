# CTAL on PASCAL-Context: Adam, 70 epochs, cosine annealing per epoch to 0 over as many epochs as are trained. The decay
# is that of the released config; the paper has 1e-4.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-5, weight_decay=1e-5))
param_scheduler = [dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True)]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=70, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
