"""The deformable mixer of DeMT: channels by a 1x1 convolution, places by a deformable one.

Paper and official code: see :mod:`mtlbox.models.necks.demt`.
"""

from __future__ import annotations

from typing import Literal

import torch
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn

from mtlbox.models.layers.checks import one_of
from mtlbox.models.layers.deformable import DeformableConv1x1, DeformImpl
from mtlbox.models.layers.factored_affinity import autocast_off

MixerOrder = Literal['code', 'paper']


class MixerOffsets(nn.Module):
    """The offsets at which a mixer samples: a 3x3 convolution to 18 channels, their positions added, and another.

    The 18 channels are the rows and then the columns of nine points, and stay apart in the second convolution, which
    has two groups. Its ``2 C`` channels are read in pairs (down, right), so the first half of the feature channels
    gets both steps from the rows and the second half both from the columns, as in the released code.

    Computed in float32 whatever autocast says, for a position of 140 has no fraction in bfloat16.

    Args:
        channels: Channels C of the features.
        absolute_coords: Add to the points not only their places in the 3x3 neighbourhood (-1 to 1) but also the row (1
            to H) and column (1 to W) of the pixel. The offsets then grow across the image.
    """

    def __init__(self, *, channels: int, absolute_coords: bool) -> None:
        super().__init__()
        self.absolute_coords = absolute_coords
        self.points = nn.Conv2d(channels, 18, 3, padding=1)
        nn.init.zeros_(self.points.weight)
        self.spread = nn.Conv2d(18, 2 * channels, 3, padding=1, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to offsets ``(B, 2 C, H, W)`` in pixels: down and right of each channel in turn."""
        with autocast_off(x):
            wide = x.to(self.points.weight.dtype)
            return self.spread(self.points(wide) + self._places(*x.shape[-2:], like=wide))

    def _places(self, height: int, width: int, like: Tensor) -> Tensor:
        """Return what is added to the points, ``(18, 1, 1)`` or ``(18, H, W)``."""
        step = torch.arange(-1, 2, device=like.device, dtype=like.dtype)
        rows, columns = step.repeat_interleave(3), step.repeat(3)  # (9,), of the neighbourhood row by row
        if not self.absolute_coords:
            return torch.cat([rows, columns])[:, None, None]
        down = torch.arange(1, height + 1, device=like.device, dtype=like.dtype)[:, None].expand(height, width)
        right = torch.arange(1, width + 1, device=like.device, dtype=like.dtype).expand(height, width)
        return torch.cat([rows[:, None, None] + down, columns[:, None, None] + right])


class DeformableMixerBlock(nn.Module):
    """A 1x1 convolution, and a deformable one around a shortcut; GELU and norm after each.

    Args:
        channels: Channels of input and output.
        order: ``'code'``: the plain convolution first; ``'paper'``: the deformable one first.
        absolute_coords: As of :class:`MixerOffsets`.
        impl: How the deformable convolution is computed, as of :class:`DeformableConv1x1`.
        norm_cfg: Norm layer.
    """

    def __init__(
        self,
        *,
        channels: int,
        order: MixerOrder = 'code',
        absolute_coords: bool = True,
        impl: DeformImpl = 'auto',
        norm_cfg: dict | None = None,
    ) -> None:
        super().__init__()
        one_of('order', order, ('code', 'paper'))
        self.order = order
        norm_cfg = norm_cfg or {'type': 'BN'}
        self.mix_channels = nn.Sequential(
            nn.Conv2d(channels, channels, 1), nn.GELU(), build_norm_layer(norm_cfg, channels)[1]
        )
        self.offsets = MixerOffsets(channels=channels, absolute_coords=absolute_coords)
        self.deform = DeformableConv1x1(channels=channels, impl=impl)
        self.after_deform = nn.Sequential(nn.GELU(), build_norm_layer(norm_cfg, channels)[1])

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        if self.order == 'code':
            return self._mix_places(self.mix_channels(x))
        return self.mix_channels(self._mix_places(x))

    def _mix_places(self, x: Tensor) -> Tensor:
        return x + self.after_deform(self.deform(x, self.offsets(x)))
