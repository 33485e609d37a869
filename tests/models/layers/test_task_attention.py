"""Attention between tasks: against torch's and against loops; pooling of tokens; the gated MLP."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mtlbox.models.layers import to_map, to_tokens
from mtlbox.models.layers.gated_mlp import GatedMLP
from mtlbox.models.layers.task_attention import TaskAttention, pool_tokens

CHANNELS, HEADS = 8, 2


@pytest.fixture
def attention() -> TaskAttention:
    torch.manual_seed(0)
    module = TaskAttention(channels=CHANNELS, num_heads=HEADS).double()
    for bias in (module.in_proj_bias, module.out_proj.bias):
        nn.init.normal_(bias)
    return module


@pytest.fixture
def reference(attention: TaskAttention) -> nn.MultiheadAttention:
    """Torch's attention with the same weights: their names and shapes are the same."""
    module = nn.MultiheadAttention(CHANNELS, HEADS, batch_first=True).double()
    module.load_state_dict(attention.state_dict())
    return module


def tokens(tasks: int = 3, pixels: int = 10) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, tasks, pixels, CHANNELS, generator=generator, dtype=torch.float64)


def test_per_pixel_is_a_loop_over_pixels(attention: TaskAttention, reference: nn.MultiheadAttention) -> None:
    query, every = tokens(tasks=1)[:, 0].flip(0), tokens()
    out = attention.per_pixel(query, every)
    for pixel in range(query.shape[1]):
        there = every[:, :, pixel]  # (B, T, C)
        expected, _ = reference(query[:, pixel : pixel + 1], there, there)
        torch.testing.assert_close(out[:, pixel : pixel + 1], expected)


def test_over_all_is_a_naive_softmax(attention: TaskAttention, reference: nn.MultiheadAttention) -> None:
    query, every = tokens(tasks=1)[:, 0].flip(0), tokens().flatten(1, 2)
    out = attention.over_all(query, every)
    torch.testing.assert_close(out, reference(query, every, every)[0])
    weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    q, k, v = (x @ w.t() + b for x, w, b in zip((query, every, every), weights, biases))
    heads = []
    for head in range(HEADS):
        of_head = slice(head * CHANNELS // HEADS, (head + 1) * CHANNELS // HEADS)
        scores = q[..., of_head] @ k[..., of_head].transpose(1, 2) / (CHANNELS / HEADS) ** 0.5
        shares = scores.exp() / scores.exp().sum(-1, keepdim=True)
        heads.append(shares @ v[..., of_head])
    naive = torch.cat(heads, dim=-1) @ attention.out_proj.weight.t() + attention.out_proj.bias
    torch.testing.assert_close(out, naive)


def test_attention_to_a_single_token_compares_nothing(
    attention: TaskAttention, reference: nn.MultiheadAttention
) -> None:
    single = tokens().flatten(0, 2)[:, None]  # (B * T * N, 1, C): sequences of length 1
    torch.testing.assert_close(attention.values(single), reference(single, single, single)[0])
    used = TaskAttention(channels=CHANNELS, num_heads=HEADS, compare=False, keep_unused=False).double()
    used.load_state_dict(
        {name: value[-CHANNELS:] if 'in_proj' in name else value for name, value in attention.state_dict().items()}
    )
    torch.testing.assert_close(used.values(single), attention.values(single))


def test_initial_weights_are_those_of_torch() -> None:
    torch.manual_seed(0)
    ours, torchs = TaskAttention(channels=128, num_heads=2), nn.MultiheadAttention(128, 2)
    values = TaskAttention(channels=128, num_heads=2, compare=False, keep_unused=False)
    for module in (ours, values):
        assert module.in_proj_weight.abs().max().item() == pytest.approx(torchs.in_proj_weight.abs().max().item(), 0.01)
        assert not module.in_proj_bias.any() and not module.out_proj.bias.any()


def test_heads_must_divide_the_channels() -> None:
    with pytest.raises(ValueError, match='channels: expected a multiple of num_heads=3, got 8'):
        TaskAttention(channels=8, num_heads=3)


def test_pooling_averages_squares_and_what_is_left_of_them() -> None:
    every = tokens(pixels=5 * 7)
    pooled = pool_tokens(every, (5, 7), 3).unflatten(2, (2, 3))
    maps = every.unflatten(2, (5, 7))
    for row, column in ((0, 0), (1, 2)):
        square = maps[:, :, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3]  # the last is of 2 x 1 pixels
        torch.testing.assert_close(pooled[:, :, row, column], square.mean((2, 3)))
    assert pool_tokens(every, (5, 7), 1) is every


def test_tokens_and_maps() -> None:
    maps = torch.randn(2, 3, 4, 5)
    assert torch.equal(to_tokens(maps)[:, 2 * 5 + 1], maps[:, :, 2, 1])
    assert torch.equal(to_map(to_tokens(maps), (4, 5)), maps)


def test_gated_mlp() -> None:
    torch.manual_seed(0)
    mlp = GatedMLP(channels=6, hidden_channels=10)
    assert sum(p.numel() for p in mlp.parameters()) == 12 + (6 * 10 + 10) + 10 + (5 * 5 + 5) + (5 * 6 + 6)
    x = torch.randn(2, 7, 6)
    passed, _ = mlp.enter(x).chunk(2, -1)
    torch.testing.assert_close(mlp(x), x + mlp.leave(passed))  # the gate is open at first
    nn.init.normal_(mlp.gate[1].weight)
    assert not torch.allclose(mlp(x), x + mlp.leave(passed))
    with pytest.raises(ValueError, match='hidden_channels: expected an even number from 2 on, got 7'):
        GatedMLP(channels=6, hidden_channels=7)
