"""Task heads."""

from mtlbox.models.heads.base import TaskHead
from mtlbox.models.heads.conv_heads import BottleneckHead, FCNHead, HighResolutionHead, NarrowingHead
from mtlbox.models.heads.deeplab import DeepLabHead

__all__ = ['BottleneckHead', 'DeepLabHead', 'FCNHead', 'HighResolutionHead', 'NarrowingHead', 'TaskHead']
