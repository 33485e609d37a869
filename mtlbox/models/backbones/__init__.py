"""Backbones of our own; those of other packages are named as ``mmpretrain.SwinTransformerV2`` and the like."""

from mtlbox.models.backbones.hrnet import HRNet

__all__ = ['HRNet']
