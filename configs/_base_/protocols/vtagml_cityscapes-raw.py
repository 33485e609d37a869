_base_ = './vtagml_outdoor.py'
# Cityscapes as released, 2975 / 500 images, reduced to 512x1024: 19 classes, metric depth, normals. Disparity in
# place of depth: a task of the type Disparity that reads the label 'disparity'. Depths of 80 m and more are left out
# of loss and score. Normals are computed from the depth.
input_size = (512, 1024)
data_root = 'data/cityscapes-raw'
labels = dict(semseg='semseg', depth='depth', normals='normals')
train_dataloader = dict(
    dataset=dict(
        type='Cityscapes',
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
        type='Cityscapes',
        data_root=data_root,
        split='val',
        tasks=_base_.tasks,
        labels=labels,
        pipeline=[dict(type='Resize', size=input_size, labels=False), dict(type='PackMultiTaskInputs')],
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
