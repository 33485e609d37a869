"""Maps as sequences of tokens and back."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def to_tokens(features: Tensor) -> Tensor:
    """Turn a map ``(B, C, H, W)`` into tokens ``(B, H * W, C)``, row by row."""
    return features.flatten(2).transpose(1, 2)


def to_map(tokens: Tensor, size: Sequence[int]) -> Tensor:
    """Turn tokens ``(B, H * W, C)`` into a map ``(B, C, H, W)`` of ``size`` (H, W): undoes :func:`to_tokens`."""
    height, width = size
    return tokens.transpose(1, 2).reshape(len(tokens), tokens.shape[-1], height, width)
