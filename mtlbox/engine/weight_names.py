"""Weights of a network under the names, and of the sizes, that another implementation of it has.

Liu et al., Swin Transformer, ICCV 2021, https://github.com/microsoft/Swin-Transformer: its files name stages, attention
and MLPs otherwise than OpenMMLab does, and gather the four pixels that a patch is merged of in another order.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping

from torch import Tensor
from torch.nn import functional as F

_TABLE, _INDEX = 'relative_position_bias_table', 'relative_position_index'
_SWIN = (
    (re.compile(r'^patch_embed\.proj\.'), 'patch_embed.projection.'),
    (re.compile(r'^layers\.(\d+)\.blocks\.(\d+)\.attn\.'), r'stages.\1.blocks.\2.attn.w_msa.'),
    (re.compile(r'^layers\.(\d+)\.blocks\.(\d+)\.mlp\.fc1\.'), r'stages.\1.blocks.\2.ffn.layers.0.0.'),
    (re.compile(r'^layers\.(\d+)\.blocks\.(\d+)\.mlp\.fc2\.'), r'stages.\1.blocks.\2.ffn.layers.1.'),
    (re.compile(r'^layers\.(\d+)\.'), r'stages.\1.'),
)


def to_openmmlab(weights: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """Return the official weights of Swin under OpenMMLab's names; any others as they are.

    Args:
        weights: Names and tensors of a file.
        own: Names that the module has.
    """
    if 'layers.0.blocks.0.attn.qkv.weight' not in weights or 'stages.0.blocks.0.attn.w_msa.qkv.weight' not in own:
        return dict(weights)
    converted = {}
    for name, value in weights.items():
        if '.downsample.' in name:
            value = _in_order_of_unfold(value)
        for pattern, replacement in _SWIN:
            name, found = pattern.subn(replacement, name)
            if found:
                break
        converted[name] = value
    return converted


def _in_order_of_unfold(value: Tensor) -> Tensor:
    """Reorder the last axis, of 4 C: from (column, row, channel) of the four pixels to (channel, row, column)."""
    split = value.unflatten(-1, (2, 2, -1))  # (..., column, row, C)
    return split.transpose(-1, -3).flatten(-3)


def fit_tables(weights: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Resample the tables of relative positions that are of another window than the module's, bicubically.

    As Swin's official code does when it tunes for another window. mmpretrain's way needs a function that SciPy 1.14
    removed. The tables of indices beside them are left out, for the module has its own.

    Args:
        weights: Names and tensors of a file; a table is ``((2 window - 1)**2, heads)``.
        own: Those of the module.
    """
    fitting = dict(weights)
    for name, value in weights.items():
        if not name.endswith(_TABLE) or name not in own or value.shape == own[name].shape:
            continue
        source, target = math.isqrt(len(value)), math.isqrt(len(own[name]))
        if (source**2, target**2, value.shape[1:]) != (len(value), len(own[name]), own[name].shape[1:]):
            continue
        grid = value.T.reshape(1, -1, source, source)  # (1, heads, 2 window - 1, 2 window - 1)
        grid = F.interpolate(grid, size=(target, target), mode='bicubic', align_corners=False)
        fitting[name] = grid.flatten(2)[0].T
        fitting.pop(name.removesuffix(_TABLE) + _INDEX, None)
    return fitting
