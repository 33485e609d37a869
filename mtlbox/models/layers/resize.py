"""Resampling of feature maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def resize(features: Tensor, size: Sequence[int]) -> Tensor:
    """Resample ``(B, C, h, w)`` bilinearly to ``size`` (H, W), corners not aligned; equal sizes pass through."""
    if features.shape[-2:] == tuple(size):
        return features
    return F.interpolate(features, size=tuple(size), mode='bilinear', align_corners=False)


def concat_pyramid(pyramid: Sequence[Tensor]) -> Tensor:
    """Resample all maps of ``pyramid`` to the size of its first and concatenate them, ``(B, sum of C_i, H, W)``."""
    return torch.cat([resize(level, pyramid[0].shape[-2:]) for level in pyramid], dim=1)
