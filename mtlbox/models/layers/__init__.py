"""Building blocks that several methods share."""

from mtlbox.models.layers.blocks import Bottleneck, bottlenecks, conv_norm_relu
from mtlbox.models.layers.cross_task_affinity import CrossTaskAffinity
from mtlbox.models.layers.resize import concat_pyramid, resize

__all__ = ['Bottleneck', 'CrossTaskAffinity', 'bottlenecks', 'concat_pyramid', 'conv_norm_relu', 'resize']
