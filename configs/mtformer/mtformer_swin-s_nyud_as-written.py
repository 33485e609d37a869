# python tools/train.py configs/mtformer/mtformer_swin-s_nyud_as-written.py
#
# MTFormer, Swin-S, NYUD with 40 classes and depth, 480x640, as the paper reads where the released code differs: all
# tasks move together through the cross-task blocks, in which no unmapped attention is added, the contrast is a softmax
# over the batch with weight 1, and the uncertainty is Kendall's.
# Nothing is published on it: the paper's numbers are taken to be the released code's.
# Size: 60.981 M parameters.
_base_ = './mtformer_swin-s_nyud_clean.py'
model = dict(
    neck=dict(unmapped_residual=False, update_others=True, contrast='info_nce_batch', contrast_options=None),
    weighting=dict(form='kendall', weights=None),
)
