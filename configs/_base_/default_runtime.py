default_scope = 'mtlbox'
default_hooks = dict(
    runtime_info=dict(type='RuntimeInfoHook'),
    timer=dict(type='IterTimerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    logger=dict(type='LoggerHook', interval=20),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook',
        interval=1,
        max_keep_ckpts=2,
        save_last=True,
        save_best='semseg/mIoU',
    ),
)
custom_hooks = [
    dict(type='SyncBuffersHook'),
    dict(type='EMAHook', ema_type='MomentumAnnealingEMA', momentum=0.001, gamma=10, evaluate=False),
    dict(type='PlainCheckpointHook'),
    dict(type='NanGuardHook', dump=True),
    dict(type='ResultHook'),
    dict(type='PictureHook', num_images=4, out_dir=None),
    dict(type='ProgressHook', bar=True),
]
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(timeout=600),
)
visualizer = dict(
    type='Visualizer',
    vis_backends=[dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')],
)
log_processor = dict(by_epoch=True, window_size=20)
channels_last = False  # True: the model's weights and images are laid out as NHWC
sync_bn = None  # 'torch': batch norm reads the images of all processes, on GPUs
log_level = 'INFO'
randomness = dict(seed=0, deterministic=False)
auto_scale_lr = dict(enable=False, base_batch_size=8)
load_from = None
resume = False
