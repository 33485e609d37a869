# MTFormer: AdamW, 100 epochs of batches of 4, the rate falling by a power of 0.9 at each epoch. The rate is that of
# NYUD; on PASCAL-Context 2.5e-5.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=5e-5, weight_decay=1e-4))
param_scheduler = [dict(type='PolyPastEndLR', power=0.9, eta_min=0, by_epoch=True)]
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
