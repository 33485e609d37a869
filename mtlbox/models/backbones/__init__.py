"""Backbones of our own and of timm; those of other packages are named as ``mmpretrain.SwinTransformerV2`` and so on."""

from mtlbox.models.backbones.hrnet import HRNet
from mtlbox.models.backbones.simple_pyramid import SimplePyramid
from mtlbox.models.backbones.timm import TimmBackbone

__all__ = ['HRNet', 'SimplePyramid', 'TimmBackbone']
