"""Deformable 1x1 convolution in which every channel is sampled at offsets of its own.

Dai et al., Deformable Convolutional Networks, ICCV 2017, with a kernel of one pixel and as many offset groups as
channels. With one pixel there is nothing to gather: the layer is one bilinear sample per channel and position, outside
of the map 0, and a 1x1 convolution. So no compiled operator is needed; mmcv's does the same in one call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtlbox.compat import is_compiling
from mtlbox.models.layers.checks import one_of

DeformImpl = Literal['auto', 'torch', 'mmcv']


def sample_at_offsets(features: Tensor, offsets: Tensor) -> Tensor:
    """Sample every channel bilinearly beside each of its positions; outside of the map it is 0.

    Args:
        features: ``(B, C, H, W)``.
        offsets: ``(B, 2 * C, H, W)`` in pixels: channel ``2 c`` is the step down and ``2 c + 1`` the step right at
            which channel ``c`` is read.

    Returns:
        ``(B, C, H, W)``, the value of channel c at ``(y + offsets[2 c, y, x], x + offsets[2 c + 1, y, x])``.

    Raises:
        ValueError: If the shapes do not fit each other.
    """
    batch, channels, height, width = features.shape
    if tuple(offsets.shape) != (batch, 2 * channels, height, width):
        raise ValueError(
            f'expected offsets (B, 2 * C, H, W) = {(batch, 2 * channels, height, width)} for features '
            f'{tuple(features.shape)}, got {tuple(offsets.shape)}'
        )
    down, right = offsets.reshape(batch * channels, 2, height, width).unbind(1)  # (B * C, H, W)
    y = torch.arange(height, device=offsets.device, dtype=offsets.dtype)[:, None] + down
    x = torch.arange(width, device=offsets.device, dtype=offsets.dtype) + right
    # grid_sample's coordinates of pixel centres, corners not aligned, so that maps of one pixel work too
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)  # (B * C, H, W, 2)
    flat = features.reshape(batch * channels, 1, height, width).to(grid.dtype)
    sampled = F.grid_sample(flat, grid, mode='bilinear', padding_mode='zeros', align_corners=False)
    return sampled.reshape(features.shape)


class DeformableConv1x1(nn.Module):
    """1x1 convolution of features that are sampled per channel at given offsets.

    Args:
        channels: Channels of input and output.
        impl: ``'torch'``: :func:`sample_at_offsets` and a convolution, on any device; ``'mmcv'``: the compiled operator
            of mmcv, in float32; ``'auto'``: that one on CUDA where it is installed, unless ``torch.compile`` traces.

    Raises:
        ImportError: If ``impl='mmcv'`` and mmcv has no compiled operators.
    """

    def __init__(self, *, channels: int, impl: DeformImpl = 'auto') -> None:
        super().__init__()
        one_of('impl', impl, ('auto', 'torch', 'mmcv'))
        self.impl = impl
        self.op = None if impl == 'torch' else _compiled_operator()
        if impl == 'mmcv' and self.op is None:
            raise ImportError(
                "impl='mmcv' needs mmcv with compiled operators, which is not installed. Install the extra: "
                "pip install -e .[ops], in place of mmcv-lite; or take impl='torch', which gives the same."
            )
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Tensor, offsets: Tensor) -> Tensor:
        """``(B, C, H, W)`` and offsets ``(B, 2 * C, H, W)``, as of :func:`sample_at_offsets`, to ``(B, C, H, W)``."""
        if self.op is not None and (self.impl == 'mmcv' or (features.is_cuda and not is_compiling())):
            return self._by_operator(self.op, features, offsets)
        return self.conv(sample_at_offsets(features, offsets))

    def _by_operator(self, operator: Callable[..., Tensor], features: Tensor, offsets: Tensor) -> Tensor:
        batch, channels = features.shape[:2]
        stride, padding, dilation, groups, with_bias = 1, 0, 1, 1, False
        arguments = (stride, padding, dilation, groups, channels, with_bias, batch)  # the batch in one piece
        convolved = operator(features.float(), offsets.float(), self.conv.weight.float(), *arguments)
        assert self.conv.bias is not None
        return convolved + self.conv.bias[:, None, None]


def _compiled_operator() -> Callable[..., Tensor] | None:
    """Return mmcv's deformable convolution as a function, or None where mmcv has no compiled operators."""
    try:
        from mmcv.ops import deform_conv2d
    except ImportError:
        return None
    return deform_conv2d
