# python tools/train.py configs/mtformer/mtformer-stl_swin-s_nyud.py
#
# MTFormer's single-task baseline, Swin-S, NYUD with 40 classes and depth, 480x640: for each task a backbone, the shared
# stack and two plain stacks.
# Published (MTFormer, ECCV 2022, results on NYUD-v2): mIoU 47.96, rmse .497.
# Size: 114.263 M parameters, of them 6.296 M in patch embeddings that nothing uses.
_base_ = './mtformer_swin-s_nyud.py'
model = dict(
    type='STL',
    neck=dict(cross_attention=False, scale_quirk=False, contrast='none', contrast_options=None),
    weighting=dict(_delete_=True, type='FixedWeighting', weights=dict(semseg=1.0, depth=1.0)),
)
