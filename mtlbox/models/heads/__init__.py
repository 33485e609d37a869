"""Task heads."""

from mtlbox.models.heads.base import TaskHead
from mtlbox.models.heads.conv_heads import BottleneckHead, HighResolutionHead, NarrowingHead

__all__ = ['BottleneckHead', 'HighResolutionHead', 'NarrowingHead', 'TaskHead']
