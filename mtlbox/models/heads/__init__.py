"""Task heads."""

from mtlbox.models.heads.base import TaskHead
from mtlbox.models.heads.conv_heads import BottleneckHead, FCNHead, HighResolutionHead

__all__ = ['BottleneckHead', 'FCNHead', 'HighResolutionHead', 'TaskHead']
