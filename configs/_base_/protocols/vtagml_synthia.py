_base_ = './vtagml_outdoor.py'
# SYNTHIA-RAND-CITYSCAPES, 8460 / 940 images (the split is ours), brought to 384x640: the classes as Cityscapes names
# them, so that weights can move between the two.
# Its own 22: --cfg-options tasks.semseg.num_classes=22 labels.semseg=semseg
# Depths of 80 m and more are left out of loss and score. Normals are computed from the depth.
input_size = (384, 640)
data_root = 'data/synthia'
labels = dict(semseg='semseg_cityscapes', depth='depth', normals='normals')
train_dataloader = dict(
    dataset=dict(
        type='Synthia',
        data_root=data_root,
        split='train',
        tasks=_base_.tasks,
        labels=labels,
        pipeline=[
            dict(type='Resize', size=input_size),
            dict(type='RandomScaleCrop', scale=(1.0, 1.41), size=input_size),
            dict(type='RandomFlip', prob=0.5),
            _base_.photometric,
            dict(type='PackMultiTaskInputs'),
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        type='Synthia',
        data_root=data_root,
        split='val',
        tasks=_base_.tasks,
        labels=labels,
        pipeline=[dict(type='Resize', size=input_size, labels=False), dict(type='PackMultiTaskInputs')],
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
