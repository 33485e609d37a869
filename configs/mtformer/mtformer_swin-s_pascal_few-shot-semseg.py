# python tools/train.py configs/mtformer/mtformer_swin-s_pascal_few-shot-semseg.py
#
# MTFormer, Swin-S, PASCAL-Context at 512x512, with labels of semantic classes for 40 of the 4998 training images and
# of the other two tasks for all. A batch without a label of a task leaves that task's loss out.
# Published (MTFormer, ECCV 2022, few-shot semantic segmentation): mIoU 35.26, of human parts mIoU 64.26, of
# saliency mIoU 67.26. Which 40 they are is not known; here seed 0 chooses them among all images.
_base_ = './mtformer_swin-s_pascal.py'
model = dict(skip_unlabelled=True)
train_dataloader = dict(dataset=dict(labelled_only=dict(semseg=dict(count=40, seed=0))))
val_evaluator = dict(baseline=None)  # the published one was trained on all labels
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='semseg/mIoU'))
