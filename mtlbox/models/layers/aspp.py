"""Atrous spatial pyramid pooling: one map read at several rates of dilation at once.

Chen et al., Rethinking Atrous Convolution for Semantic Image Segmentation (DeepLab-v3), arXiv 1706.05587, section 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mtlbox.models.layers.resize import resize


class ASPP(nn.Module):
    """A 1x1 convolution, dilated 3x3 convolutions and the mean over the map, side by side, and a 1x1 convolution.

    Every convolution has norm and ReLU. With batch norm, a training step needs more than one image, for the mean of an
    image is a single value.

    Args:
        in_channels: Channels of the input.
        channels: Channels of each branch, and of the result.
        rates: Dilation of each 3x3 convolution.
        dropout: Share of the result's values that are dropped in training.
        norm_cfg: Norm layer.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        channels: int = 256,
        rates: Sequence[int] = (12, 24, 36),
        dropout: float = 0.5,
        norm_cfg: dict | None = None,
    ) -> None:
        super().__init__()
        norm_cfg = norm_cfg or {'type': 'BN'}
        self.branches = nn.ModuleList([ConvModule(in_channels, channels, 1, norm_cfg=norm_cfg)])
        for rate in rates:
            self.branches.append(ConvModule(in_channels, channels, 3, padding=rate, dilation=rate, norm_cfg=norm_cfg))
        self.mean = ConvModule(in_channels, channels, 1, norm_cfg=norm_cfg)
        self.project = ConvModule((len(rates) + 2) * channels, channels, 1, norm_cfg=norm_cfg)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to ``(B, channels, H, W)``."""
        mean = self.mean(x.mean((2, 3), keepdim=True))  # (B, channels, 1, 1)
        parts = [*(branch(x) for branch in self.branches), resize(mean, x.shape[-2:])]
        return self.dropout(self.project(torch.cat(parts, dim=1)))
