"""Building blocks that several methods share."""

from mtlbox.models.layers.aspp import ASPP
from mtlbox.models.layers.blocks import BasicBlock, Bottleneck, bottlenecks, conv_norm_relu
from mtlbox.models.layers.cross_task_affinity import CrossTaskAffinity
from mtlbox.models.layers.message_passing import MessagePassing
from mtlbox.models.layers.resize import concat_pyramid, resize
from mtlbox.models.layers.tokens import to_map, to_tokens
from mtlbox.models.layers.window_attention import WindowAttention, WindowBlock, WindowStack

__all__ = [
    'ASPP',
    'BasicBlock',
    'Bottleneck',
    'CrossTaskAffinity',
    'MessagePassing',
    'WindowAttention',
    'WindowBlock',
    'WindowStack',
    'bottlenecks',
    'concat_pyramid',
    'conv_norm_relu',
    'resize',
    'to_map',
    'to_tokens',
]
