# A short training from pretrained weights, for data that is made on the fly: gentler at its start than adamw_rooms.py,
# at whose rate one seed of MTFormer lost depth before the warm-up had ended.
_base_ = './adamw_rooms.py'
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', eta_min=0, by_epoch=True, convert_to_iter_based=True),
]
