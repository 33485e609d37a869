# python tools/train.py configs/mtformer/mtformer-stl_resnet50_pascal.py
#
# MTFormer's single-task CNN baseline: for each task ResNet-50 dilated to 1/8 and a DeepLab-v3 head, PASCAL-Context with
# classes, human parts and saliency, 512x512.
# Published (MTFormer, ECCV 2022, results on PASCAL-Context): mIoU 69.06, of human parts mIoU 62.12, of saliency mIoU
# 66.42.
# Size: 118.908 M parameters. The reference of delta_m among CNNs.
_base_ = './mtformer-mtl_resnet50_pascal.py'
model = dict(type='STL')
