# python tools/train.py configs/mtformer/mtformer-mtl_swin-s_nyud.py
#
# MTFormer without cross-task attention and contrast, which is hard parameter sharing, Swin-S, NYUD with 40 classes and
# depth, 480x640.
# Published (MTFormer, ECCV 2022, ablation on NYUD-v2): mIoU 50.04, rmse .490, delta_m +2.87.
# Size: 62.450 M parameters. Some of them are in patch embeddings that nothing uses.
_base_ = './mtformer_swin-s_nyud.py'
model = dict(neck=dict(cross_attention=False, contrast='none', contrast_options=None))
