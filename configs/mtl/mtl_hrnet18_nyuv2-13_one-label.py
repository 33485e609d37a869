# python tools/train.py configs/mtl/mtl_hrnet18_nyuv2-13_one-label.py
#
# MTL (hard parameter sharing), HRNet-W18-small-v2, NYUv2 with 13 classes, 288x384, with one label of three per training
# image: the one-label setting of MTPSL (Li, Liu, Bilen, CVPR 2022), of whose choice of labels this is another draw.
# Nothing is published with this backbone.
_base_ = './mtl_hrnet18_nyuv2-13.py'
train_dataloader = dict(dataset=dict(labels_per_image=dict(least=1, most=1, seed=0)))
val_evaluator = dict(baseline=None)  # the published one was trained on all labels
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='semseg/mIoU'))
