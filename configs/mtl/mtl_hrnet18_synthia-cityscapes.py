# python tools/train.py configs/mtl/mtl_hrnet18_synthia-cityscapes.py
#
# MTL (hard parameter sharing), HRNet-W18-small-v2, from SYNTHIA-RAND-CITYSCAPES, with labels, to Cityscapes, without:
# half of each batch are pictures of the target, 384x640, and scores are those of Cityscapes' validation images at
# 384x768. It is where a method of domain adaptation starts: the target's pictures pass the network, and so count for
# its batch statistics, but no loss is made of them. A neck finds them by the samples' ``domain``.
# Nothing is published with this backbone.
_base_ = './mtl_hrnet18_synthia.py'
input_size = (384, 768)
target_root = 'data/cityscapes-raw'
target_pipeline = [
    dict(type='Resize', size=input_size),
    dict(type='RandomCrop', size=(384, 640)),
    dict(type='RandomFlip', prob=0.5),
    _base_.photometric,
    dict(type='PackMultiTaskInputs'),
]
train_dataloader = dict(
    drop_last=False,
    batch_sampler=dict(type='JointBatchSampler', batches=dict(both=dict(source=4, target=4))),
    dataset=dict(
        _delete_=True,
        type='JointDataset',
        datasets=dict(
            source=_base_.train_dataloader.dataset,
            target=dict(
                type='ImageFolder',
                data_root=f'{target_root}/leftImg8bit/train',
                tasks=_base_.tasks,
                pipeline=target_pipeline,
            ),
        ),
    ),
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='Cityscapes',
        data_root=target_root,
        split='val',
        tasks=_base_.tasks,
        labels=dict(semseg='semseg', depth='depth', normals='normals'),
        pipeline=[dict(type='Resize', size=input_size, labels=False), dict(type='PackMultiTaskInputs')],
        test_mode=True,
    ),
)
test_dataloader = val_dataloader
