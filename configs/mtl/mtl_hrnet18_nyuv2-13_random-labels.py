# python tools/train.py configs/mtl/mtl_hrnet18_nyuv2-13_random-labels.py
#
# MTL (hard parameter sharing), HRNet-W18-small-v2, NYUv2 with 13 classes, 288x384, with one or two labels of three per
# training image: the random-labels setting of MTPSL (Li, Liu, Bilen, CVPR 2022), of whose choice this is another draw.
# Nothing is published with this backbone.
_base_ = './mtl_hrnet18_nyuv2-13_one-label.py'
train_dataloader = dict(dataset=dict(labels_per_image=dict(most=2)))
