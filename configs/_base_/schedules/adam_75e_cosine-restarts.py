# CTAL on Cityscapes, multi-scale models: as adam_75e_cosine, but with one warm restart, after a third of the epochs
# (T_0 = 25, T_mult = 2: 25 and 50 of 75).
_base_ = './adam_75e_cosine.py'
param_scheduler = [dict(type='CosineWarmRestartsLR', cycles=2, growth=2, eta_min=0, by_epoch=True)]
