# python tools/train.py configs/mtformer/mtformer-stl_swin-s_pascal.py
#
# MTFormer's single-task baseline, Swin-S, PASCAL-Context with classes, human parts and saliency, 512x512: for each task
# a backbone, the shared stack and two plain stacks.
# Published (MTFormer, ECCV 2022, results on PASCAL-Context): mIoU 71.17, of human parts mIoU 63.90, of saliency
# mIoU 66.71.
# Size: 171.430 M parameters, of them 9.444 M in patch embeddings that nothing uses.
_base_ = './mtformer_swin-s_pascal.py'
model = dict(
    type='STL',
    neck=dict(cross_attention=False, contrast='none', contrast_options=None),
    weighting=dict(_delete_=True, type='FixedWeighting', weights=dict(semseg=1.0, human_parts=2.0, saliency=30.0)),
)
