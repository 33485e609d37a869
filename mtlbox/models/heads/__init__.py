"""Task heads."""

from mtlbox.models.heads.base import TaskHead
from mtlbox.models.heads.conv_heads import BottleneckHead, FCNHead, HighResolutionHead, NarrowingHead

__all__ = ['BottleneckHead', 'FCNHead', 'HighResolutionHead', 'NarrowingHead', 'TaskHead']
