"""Attention between the tokens of several tasks, per pixel or over all pixels.

One set of weights, that of ``torch.nn.MultiheadAttention``, serves all forms, so a checkpoint of one runs in another.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtlbox.models.layers.checks import at_least


def attend_per_pixel(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend, at each pixel on its own, over the T tokens that the tasks have there.

    Products and sums, which for sequences of a few tokens are faster than fused attention.

    Args:
        query: ``(B, N, heads, c)``.
        key: ``(B, T, N, heads, c)``.
        value: The same shape.

    Returns:
        ``(B, N, heads, c)``.
    """
    scores = (query[:, None] * key).sum(-1, dtype=torch.promote_types(key.dtype, torch.float32))  # (B, T, N, heads)
    weights = (scores * query.shape[-1] ** -0.5).softmax(1).to(value.dtype)
    return (weights[..., None] * value).sum(1)


class TaskAttention(nn.Module):
    """Multi-head attention whose queries are tokens of one task, or of all, and whose keys are tokens of all tasks.

    Args:
        channels: Channels of the tokens.
        num_heads: Heads; they must divide ``channels``.
        compare: Whether queries and keys matter. False: what is attended to is a single token, whose weight is 1, and
            all that is left is the projection of values and that of the result.
        keep_unused: Without ``compare``, hold the projections of queries and keys all the same, as part of the one
            weight that ``torch.nn.MultiheadAttention`` has; their rows get zero gradients.
    """

    def __init__(self, *, channels: int, num_heads: int, compare: bool = True, keep_unused: bool = True) -> None:
        super().__init__()
        at_least(1, num_heads=num_heads)
        if channels % num_heads:
            raise ValueError(f'channels: expected a multiple of num_heads={num_heads}, got {channels}')
        self.num_heads = num_heads
        rows = 3 * channels if compare or keep_unused else channels
        self.in_proj_weight = nn.Parameter(torch.empty(rows, channels))
        self.in_proj_bias = nn.Parameter(torch.zeros(rows))
        self.out_proj = nn.Linear(channels, channels)
        # the bounds of one weight of 3 C rows, as in torch, whatever rows are held
        bound = (6 / (4 * channels)) ** 0.5
        nn.init.uniform_(self.in_proj_weight, -bound, bound)
        nn.init.zeros_(self.out_proj.bias)

    def values(self, tokens: Tensor) -> Tensor:
        """Return what attention to a single token gives, of every token: ``(..., C)`` to the same shape."""
        channels = tokens.shape[-1]
        return self.out_proj(F.linear(tokens, self.in_proj_weight[-channels:], self.in_proj_bias[-channels:]))

    def per_pixel(self, query: Tensor, tokens: Tensor) -> Tensor:
        """Attend over the tasks at each pixel: ``(B, N, C)`` and ``(B, T, N, C)`` to ``(B, N, C)``."""
        q, k, v = self._project(query, tokens)
        return self.out_proj(attend_per_pixel(q, k, v).flatten(-2))

    def over_all(self, query: Tensor, tokens: Tensor) -> Tensor:
        """Attend over all tokens of all tasks, fused: ``(B, L, C)`` and ``(B, S, C)`` to ``(B, L, C)``."""
        q, k, v = (x.transpose(1, 2) for x in self._project(query, tokens))  # (B, heads, L or S, c)
        attended = F.scaled_dot_product_attention(q, k, v)
        return self.out_proj(attended.transpose(1, 2).flatten(-2))

    def _project(self, query: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values with their channels divided into heads."""
        channels = query.shape[-1]
        q = F.linear(query, self.in_proj_weight[:channels], self.in_proj_bias[:channels])
        kv = F.linear(tokens, self.in_proj_weight[channels:], self.in_proj_bias[channels:])
        heads = (self.num_heads, -1)
        k, v = (x.unflatten(-1, heads) for x in kv.chunk(2, dim=-1))
        return q.unflatten(-1, heads), k, v


def pool_tokens(tokens: Tensor, size: Sequence[int], stride: int) -> Tensor:
    """Average tokens ``(B, T, N, C)`` over squares of ``stride`` pixels; those at the border may be smaller.

    Args:
        tokens: Tokens of T maps.
        size: (H, W) of the maps; N = H * W.
        stride: Side of the squares; 1 changes nothing.

    Returns:
        ``(B, T, ceil(H / stride) * ceil(W / stride), C)``.
    """
    if stride == 1:
        return tokens
    batch, tasks, _, channels = tokens.shape
    maps = tokens.flatten(0, 1).transpose(1, 2).reshape(batch * tasks, channels, *size)
    pooled = F.avg_pool2d(maps, stride, ceil_mode=True, count_include_pad=False)
    return pooled.flatten(2).transpose(1, 2).unflatten(0, (batch, tasks))
