"""Attention in windows, as in Swin, whose queries and keys may come from other maps than the values.

Liu et al., Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, ICCV 2021, section 3.2. Maps are
``(B, H, W, C)`` here; those whose sides are no multiple of the window are padded with zeros at the bottom and right,
as in Swin's code for dense prediction, and the padding is attended to like anything else. The shift is kept for maps
of a single window.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtlbox.models.layers.checks import at_least
from mtlbox.models.layers.recompute import recompute


def to_windows(maps: Tensor, *, window: int, shift: int = 0) -> Tensor:
    """Cut maps ``(B, H, W, C)`` into ``(B, windows, window**2, C)``, row by row.

    Args:
        maps: Padded with zeros at the bottom and right to multiples of ``window``.
        window: Side of a window in pixels.
        shift: Move the (padded) maps up and left by as many pixels first, around the border.
    """
    batch, height, width, channels = maps.shape
    bottom, right = -height % window, -width % window
    if bottom or right:
        maps = F.pad(maps, (0, 0, 0, right, 0, bottom))
    if shift:
        maps = maps.roll((-shift, -shift), (1, 2))
    rows, columns = (height + bottom) // window, (width + right) // window
    maps = maps.reshape(batch, rows, window, columns, window, channels).transpose(2, 3)
    return maps.reshape(batch, rows * columns, window * window, channels)


def from_windows(windows: Tensor, *, size: Sequence[int], window: int, shift: int = 0) -> Tensor:
    """Put ``(B, windows, window**2, C)`` together to maps ``(B, H, W, C)``: the inverse of :func:`to_windows`.

    Args:
        windows: What to put together.
        size: (H, W) of the maps, without padding.
        window: Side of a window in pixels.
        shift: As it was in :func:`to_windows`.
    """
    height, width = size
    rows, columns = -(-height // window), -(-width // window)
    batch, _, _, channels = windows.shape
    maps = windows.reshape(batch, rows, columns, window, window, channels).transpose(2, 3)
    maps = maps.reshape(batch, rows * window, columns * window, channels)
    if shift:
        maps = maps.roll((shift, shift), (1, 2))
    return maps[:, :height, :width]


def neighbours(*, size: Sequence[int], window: int, shift: int, device: torch.device) -> Tensor:
    """Return which pixels of a window of shifted maps may see each other, bool ``(windows, window**2, window**2)``.

    The shift brings the first rows and columns behind the last ones; what was not beside each other does not attend.

    Args:
        size: (H, W) of the maps, without padding.
        window: Side of a window in pixels.
        shift: Pixels of the shift, positive.
        device: Where the result lies.
    """
    height, width = (side + -side % window for side in size)
    wrapped_rows = torch.arange(height, device=device) >= height - shift
    wrapped_columns = torch.arange(width, device=device) >= width - shift
    region = 2 * wrapped_rows[:, None].long() + wrapped_columns[None].long()  # (H, W)
    region = to_windows(region[None, :, :, None], window=window)[0, :, :, 0]  # (windows, window**2)
    return region[:, :, None] == region[:, None]


class WindowAttention(nn.Module):
    """Multi-head attention in windows with a bias per relative position, by fused attention.

    Args:
        channels: Channels C of the maps.
        num_heads: How many heads; divides ``channels``.
        window: Side of a window in pixels.
        shift: Pixels by which the windows are shifted.
        scale: Factor of the products of queries and keys; 1 / sqrt(channels per head) where not given.

    Raises:
        ValueError: There is no head, ``channels`` cannot be divided among them, or the shift is not within the window.
    """

    position: Tensor

    def __init__(
        self, *, channels: int, num_heads: int, window: int = 7, shift: int = 0, scale: float | None = None
    ) -> None:
        super().__init__()
        at_least(1, num_heads=num_heads, window=window)
        if channels % num_heads:
            raise ValueError(f'channels must be a multiple of num_heads, but are {channels} and {num_heads}.')
        if not 0 <= shift < window:
            raise ValueError(f'shift must be at least 0 and below the window of {window}, but is {shift}.')
        self.num_heads, self.window, self.shift, self.scale = num_heads, window, shift, scale
        self.qkv = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        span = 2 * window - 1
        self.bias = nn.Parameter(torch.zeros(span * span, num_heads))
        nn.init.trunc_normal_(self.bias, std=0.02)
        rows, columns = torch.arange(window).repeat_interleave(window), torch.arange(window).repeat(window)
        down = rows[:, None] - rows[None] + window - 1  # (window**2, window**2)
        aside = columns[:, None] - columns[None] + window - 1
        self.register_buffer('position', down * span + aside, persistent=False)

    def forward(self, values: Tensor, sources: Tensor | None = None) -> Tensor:
        """Attend to ``values``.

        Args:
            values: ``(B, H, W, C)``.
            sources: S maps ``(S, B, H, W, C)``: each makes queries and keys of its own for the same values. None:
                ``values`` itself makes them.

        Returns:
            ``(S, B, H, W, C)``, or ``(B, H, W, C)`` without ``sources``.
        """
        size, channels = values.shape[1:3], values.shape[-1]
        cut = {'window': self.window, 'shift': self.shift}
        own = to_windows(values, **cut)  # (B, windows, N, C)
        if sources is None:
            query, key, value = self._split(self.qkv(own), 3)
        else:
            weight, bias = self.qkv.weight, self.qkv.bias
            told = to_windows(sources.flatten(0, 1), **cut)  # (S * B, windows, N, C)
            query, key = self._split(F.linear(told, weight[: 2 * channels], bias[: 2 * channels]), 2)
            (value,) = self._split(F.linear(own, weight[2 * channels :], bias[2 * channels :]), 1)
            value = value.expand(len(sources), *value.shape).flatten(0, 1)  # (S * B, windows, heads, N, c)
        out = self._attend(query, key, value, size)  # (S * B, windows, heads, N, c)
        out = self.project(out.transpose(2, 3).flatten(3))  # (S * B, windows, N, C)
        maps = from_windows(out, size=size, **cut)
        return maps if sources is None else maps.unflatten(0, sources.shape[:2])

    def _split(self, tokens: Tensor, parts: int) -> Sequence[Tensor]:
        """``(B, windows, N, parts * C)`` to as many ``(B, windows, heads, N, c)``."""
        return tokens.unflatten(-1, (parts, self.num_heads, -1)).permute(3, 0, 1, 4, 2, 5).unbind()

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, size: Sequence[int]) -> Tensor:
        bias = self.bias[self.position].permute(2, 0, 1)  # (heads, N, N)
        # Fused kernels want four dimensions: without a shift windows join the batch, else, having masks, the heads.
        first = 0
        if self.shift:
            first = 1
            allowed = neighbours(size=size, window=self.window, shift=self.shift, device=query.device)
            bias = bias.masked_fill(~allowed[:, None], float('-inf')).flatten(0, 1)  # (windows * heads, N, N)
        q, k, v = (part.flatten(first, first + 1) for part in (query, key, value))
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None].to(query.dtype), scale=self.scale)
        return out.unflatten(first, query.shape[first : first + 2])


def mlp(in_channels: int, hidden_channels: int, out_channels: int) -> nn.Sequential:
    """Return two linear maps with GELU between them."""
    return nn.Sequential(nn.Linear(in_channels, hidden_channels), nn.GELU(), nn.Linear(hidden_channels, out_channels))


def init_linear(module: nn.Module) -> None:
    """Initialise the linear maps in ``module`` as Swin does: small normal weights, no biases."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.trunc_normal_(part.weight, std=0.02)
            nn.init.zeros_(part.bias)


class WindowBlock(nn.Module):
    """Swin's block: attention in windows and an MLP, each on normalised input and with a shortcut.

    Args:
        channels: Channels C of the maps.
        num_heads: How many heads.
        window: Side of a window in pixels.
        shift: Pixels by which the windows are shifted.
        mlp_ratio: Inner channels of the MLP over ``channels``.
    """

    def __init__(
        self, *, channels: int, num_heads: int, window: int = 7, shift: int = 0, mlp_ratio: float = 4.0
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.attention = WindowAttention(channels=channels, num_heads=num_heads, window=window, shift=shift)
        self.mlp_norm = nn.LayerNorm(channels)
        self.mlp = mlp(channels, int(mlp_ratio * channels), channels)
        init_linear(self)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, H, W, C)`` to the same shape."""
        x = x + self.attention(self.norm(x))
        return x + self.mlp(self.mlp_norm(x))


class WindowStack(nn.Module):
    """Window blocks, every second one shifted by half a window, and a LayerNorm.

    Args:
        channels: Channels C of the maps.
        num_heads: How many heads.
        num_blocks: How many blocks.
        window: Side of a window in pixels.
        mlp_ratio: Inner channels of the MLPs over ``channels``.
        with_cp: Recompute the blocks in the backward pass in place of keeping their activations.
    """

    def __init__(
        self,
        *,
        channels: int,
        num_heads: int,
        num_blocks: int = 2,
        window: int = 7,
        mlp_ratio: float = 4.0,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        self.with_cp = with_cp
        self.blocks = nn.ModuleList(
            WindowBlock(
                channels=channels,
                num_heads=num_heads,
                window=window,
                shift=window // 2 if i % 2 else 0,
                mlp_ratio=mlp_ratio,
            )
            for i in range(num_blocks)
        )
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, H, W, C)`` to the same shape."""
        for block in self.blocks:
            x = recompute(block, block, x, enabled=self.with_cp)
        return self.norm(x)
