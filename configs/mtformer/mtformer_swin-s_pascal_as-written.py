# python tools/train.py configs/mtformer/mtformer_swin-s_pascal_as-written.py
#
# MTFormer, Swin-S, PASCAL-Context with classes, human parts and saliency, 512x512, as the paper reads where the
# released code differs: all tasks move together through the cross-task blocks, in which no unmapped attention is added,
# the contrast is a softmax over the batch with weight 1, and the uncertainty is Kendall's, without fixed factors of the
# losses.
# Nothing is published on it: the paper's numbers are taken to be the released code's.
# Size: 70.066 M parameters.
_base_ = './mtformer_swin-s_pascal_clean.py'
model = dict(
    neck=dict(unmapped_residual=False, update_others=True, contrast='info_nce_batch', contrast_options=None),
    weighting=dict(form='kendall', weights=None),
)
