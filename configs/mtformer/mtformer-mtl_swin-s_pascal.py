# python tools/train.py configs/mtformer/mtformer-mtl_swin-s_pascal.py
#
# MTFormer without cross-task attention and contrast, which is hard parameter sharing, Swin-S, PASCAL-Context with
# classes, human parts and saliency, 512x512.
# Published (MTFormer, ECCV 2022, ablation on PASCAL-Context): mIoU 73.52, of human parts mIoU 64.26, of saliency mIoU
# 67.24, delta_m +1.55.
# Size: 67.803 M parameters. Some of them are in patch embeddings that nothing uses.
_base_ = './mtformer_swin-s_pascal.py'
model = dict(neck=dict(cross_attention=False, contrast='none', contrast_options=None))
