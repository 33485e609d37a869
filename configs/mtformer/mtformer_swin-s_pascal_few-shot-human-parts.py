# python tools/train.py configs/mtformer/mtformer_swin-s_pascal_few-shot-human-parts.py
#
# MTFormer, Swin-S, PASCAL-Context at 512x512, with labels of human parts for 40 of the 4998 training images and
# of the other two tasks for all. A batch without a label of a task leaves that task's loss out.
# Published (MTFormer, ECCV 2022, few-shot human parts): mIoU 73.36, of human parts mIoU 51.74, of
# saliency mIoU 67.64. Which 40 they are is not known; here seed 0 chooses them among those with a person.
_base_ = './mtformer_swin-s_pascal.py'
model = dict(skip_unlabelled=True)
train_dataloader = dict(dataset=dict(labelled_only=dict(human_parts=dict(count=40, seed=0))))
val_evaluator = dict(baseline=None)  # the published one was trained on all labels
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='human_parts/mIoU'))
