# python tools/train.py configs/mtformer/mtformer-stl_resnet50_nyud.py
#
# MTFormer's single-task CNN baseline: for each task ResNet-50 dilated to 1/8 and a DeepLab-v3 head, NYUD with 40
# classes and depth, 480x640.
# Published (MTFormer, ECCV 2022, results on NYUD-v2): mIoU 43.11, rmse .507.
# Size: 79.277 M parameters. The reference of delta_m among CNNs.
_base_ = './mtformer-mtl_resnet50_nyud.py'
model = dict(type='STL')
