# python tools/train.py configs/mtformer/mtformer_swin-s_pascal_few-shot-saliency.py
#
# MTFormer, Swin-S, PASCAL-Context at 512x512, with labels of saliency for 40 of the 4998 training images and
# of the other two tasks for all. A batch without a label of a task leaves that task's loss out.
# Published (MTFormer, ECCV 2022, few-shot saliency): mIoU 76.00, of human parts mIoU 66.89, of
# saliency mIoU 55.55. Which 40 they are is not known; here seed 0 chooses them among all images.
_base_ = './mtformer_swin-s_pascal.py'
model = dict(skip_unlabelled=True)
train_dataloader = dict(dataset=dict(labelled_only=dict(saliency=dict(count=40, seed=0))))
val_evaluator = dict(baseline=None)  # the published one was trained on all labels
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='saliency/mIoU'))
