"""Attention in windows against loops over pixels, at sizes that are no multiple of the window."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mtlbox.models.layers import WindowAttention, WindowBlock, WindowStack
from mtlbox.models.layers.window_attention import from_windows, to_windows


def pixel_by_pixel(attention: WindowAttention, values: Tensor, source: Tensor) -> Tensor:
    """What attention in windows is to compute for maps ``(B, H, W, C)``, pixel by pixel and head by head.

    A pixel sees those whose shifted position falls in the same window and that lie on the same side of the border.
    """
    window, shift, heads = attention.window, attention.shift, attention.num_heads
    batch, height, width, channels = values.shape
    rows, columns = math.ceil(height / window) * window, math.ceil(width / window) * window

    def padded(x: Tensor) -> Tensor:
        full = torch.zeros(batch, rows, columns, channels, dtype=x.dtype)
        full[:, :height, :width] = x
        return full

    weight, bias = attention.qkv.weight, attention.qkv.bias
    query, key = (padded(source) @ weight[: 2 * channels].T + bias[: 2 * channels]).chunk(2, -1)
    value = padded(values) @ weight[2 * channels :].T + bias[2 * channels :]
    scale = attention.scale or (channels // heads) ** -0.5

    def place(row: int, column: int) -> tuple:
        r, c = row - shift, column - shift  # where the roll brings it: a negative one to the end
        wrapped = (r < 0, c < 0)
        return (r % rows) // window, (c % columns) // window, *wrapped

    pixels = [(r, c) for r in range(rows) for c in range(columns)]
    out = torch.zeros(batch, height, width, channels, dtype=values.dtype)
    for row, column in pixels:
        if row >= height or column >= width:
            continue
        seen = [pixel for pixel in pixels if place(*pixel) == place(row, column)]
        for head in range(heads):
            part = slice(head * channels // heads, (head + 1) * channels // heads)
            scores = []
            for r, c in seen:
                # Position inside the window, whichever way round the border it went.
                down = (row - shift) % rows % window - (r - shift) % rows % window
                aside = (column - shift) % columns % window - (c - shift) % columns % window
                entry = (down + window - 1) * (2 * window - 1) + aside + window - 1
                product = (query[:, row, column, part] * key[:, r, c, part]).sum(-1)
                scores.append(product * scale + attention.bias[entry, head])
            weights = torch.stack(scores, -1).softmax(-1)  # (B, seen)
            said = torch.stack([value[:, r, c, part] for r, c in seen], 1)  # (B, seen, c)
            out[:, row, column, part] = (weights[..., None] * said).sum(1)
    return out @ attention.project.weight.T + attention.project.bias


def make(window: int, shift: int, scale: float | None = None) -> WindowAttention:
    torch.manual_seed(0)
    attention = WindowAttention(channels=8, num_heads=2, window=window, shift=shift, scale=scale).double()
    with torch.no_grad():
        attention.bias.normal_()
        attention.project.bias.normal_()
    return attention


@pytest.mark.parametrize(('height', 'width'), [(6, 9), (7, 10), (2, 5)])
@pytest.mark.parametrize('shift', [0, 1])
def test_self_attention_is_a_loop_over_pixels(height: int, width: int, shift: int) -> None:
    attention = make(3, shift)
    x = torch.randn(2, height, width, 8, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(attention(x), pixel_by_pixel(attention, x, x))


@pytest.mark.parametrize('shift', [0, 2])
def test_sources_make_queries_and_keys_for_the_values_of_another(shift: int) -> None:
    attention = make(4, shift, scale=0.3)
    values, sources = torch.randn(1, 5, 6, 8).double(), torch.randn(3, 1, 5, 6, 8).double()
    with torch.no_grad():
        out = attention(values, sources)
        assert out.shape == sources.shape
        for mine, source in zip(out, sources):
            torch.testing.assert_close(mine, pixel_by_pixel(attention, values, source))


@pytest.mark.parametrize('shift', [0, 3])
def test_windows_of_seven_at_published_heads(shift: int) -> None:
    """Window 7, at 8x15 pixels: padded to 14x21, and of the six windows five hold padding."""
    attention = make(7, shift)
    x = torch.randn(1, 8, 15, 8, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(attention(x), pixel_by_pixel(attention, x, x))


@pytest.mark.parametrize('size', [(7, 7), (8, 15), (3, 20)])
@pytest.mark.parametrize('shift', [0, 3])
def test_windows_are_put_together_as_they_were_cut(size: tuple[int, int], shift: int) -> None:
    x = torch.randn(2, *size, 5)
    windows = to_windows(x, window=7, shift=shift)
    assert windows.shape == (2, math.ceil(size[0] / 7) * math.ceil(size[1] / 7), 49, 5)
    assert from_windows(windows, size=size, window=7, shift=shift).equal(x)


def test_shifted_windows_do_not_see_across_the_border() -> None:
    """The last rows come into one window with the first, and must not hear of them."""
    attention = make(4, 2)
    x = torch.randn(1, 8, 8, 8, dtype=torch.float64)
    changed = x.clone()
    changed[:, :2] += 1.0
    with torch.no_grad():
        difference = (attention(changed) - attention(x)).abs().amax(-1)[0]
    assert difference[:2].all() and not difference[2:].any()


def test_position_bias_is_learnt_through_the_mask() -> None:
    attention = make(3, 1)
    attention(torch.randn(1, 5, 5, 8, dtype=torch.float64)).square().sum().backward()
    assert attention.bias.grad is not None and attention.bias.grad.any(1).all()


def test_every_second_block_is_shifted_and_the_stack_normalised() -> None:
    stack = WindowStack(channels=8, num_heads=2, num_blocks=3, window=7)
    assert [block.attention.shift for block in stack.blocks] == [0, 3, 0]
    out = stack(torch.randn(2, 9, 5, 8))
    torch.testing.assert_close(out.mean(-1), torch.zeros(2, 9, 5), atol=1e-5, rtol=0)


def test_block_has_shortcuts_around_attention_and_mlp() -> None:
    block = WindowBlock(channels=8, num_heads=2, window=3)
    x = torch.randn(1, 4, 4, 8)
    with torch.no_grad():
        middle = x + block.attention(block.norm(x))
        torch.testing.assert_close(block(x), middle + block.mlp(block.mlp_norm(middle)))
        for part in (block.attention.project, block.mlp[-1]):
            part.weight.zero_()
            part.bias.zero_()
        assert block(x).equal(x)


def test_recomputing_changes_no_gradient() -> None:
    gradients = []
    for with_cp in (False, True):
        torch.manual_seed(0)
        stack = WindowStack(channels=8, num_heads=2, window=3, with_cp=with_cp)
        stack(torch.randn(1, 4, 4, 8)).pow(3).sum().backward()
        gradients.append([p.grad for p in stack.parameters()])
    for plain, recomputed in zip(*gradients):
        torch.testing.assert_close(plain, recomputed)


def test_wrong_numbers_are_named() -> None:
    with pytest.raises(ValueError, match='channels must be a multiple of num_heads, but are 8 and 3'):
        WindowAttention(channels=8, num_heads=3)
    with pytest.raises(ValueError, match='shift must be at least 0 and below the window of 4, but is 4'):
        WindowAttention(channels=8, num_heads=2, window=4, shift=4)
