# ATRC: SGD with momentum, 40 000 iterations of 8 images, the rate falling by a power of 0.9 at each. The rate is that
# of HRNet on NYUD; on PASCAL-Context 5e-3.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-2, momentum=0.9, weight_decay=5e-4))
param_scheduler = [dict(type='PolyLR', power=0.9, eta_min=0, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=40000, val_interval=4000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
