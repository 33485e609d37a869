"""Global attention of TIF's Table 1: against its steps one by one, and what its switches change."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mtlbox.models.layers import concat_pyramid, to_tokens
from mtlbox.models.necks import GlobalAttention
from mtlbox.tasks import Task

C, T = 8, 3


def make(tasks: dict[str, Task], in_channels: tuple[int, ...], **options: Any) -> GlobalAttention:
    torch.manual_seed(0)
    return GlobalAttention(tasks=tasks, in_channels=in_channels, **{'channels': C, 'num_heads': 2, **options}).eval()


@pytest.mark.parametrize('interaction', [True, False])
@pytest.mark.parametrize('stride', [1, 4])
@torch.no_grad()
def test_it_is_its_steps(
    interaction: bool, stride: int, tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    """A map per task; torch's attention to its own pooled pixels, then to the others'; all of it joined."""
    neck = make(tasks, in_channels, interaction=interaction, kv_stride=stride)
    own = {key: project(concat_pyramid(pyramid)) for key, project in neck.own.items()}
    features = neck(pyramid).features
    assert list(features) == list(tasks)
    for key, attend in neck.attend.items():
        sources = [key, *(other for other in tasks if interaction and other != key)]
        assert len(attend.attentions) == len(sources)
        parts = [own[key]]
        for source, attention in zip(sources, attend.attentions):
            torchs = nn.MultiheadAttention(C, 2, batch_first=True)
            torchs.load_state_dict(attention.state_dict())
            pooled = to_tokens(F.avg_pool2d(own[source], stride))
            found, _ = torchs(to_tokens(own[key]), pooled, pooled)
            parts.append(found.mT.reshape(2, C, 16, 24))
        torch.testing.assert_close(features[key], attend.join(torch.cat(parts, 1)), rtol=1e-4, atol=1e-5)


def test_parameters_of_interaction(tasks: dict[str, Task], in_channels: tuple[int, ...]) -> None:
    """An attention for each pair of tasks, and as many more inputs of what joins them."""
    sizes = [
        sum(p.numel() for p in make(tasks, in_channels, interaction=interaction).parameters())
        for interaction in (True, False)
    ]
    assert sizes[0] - sizes[1] == T * (T - 1) * ((4 * C * C + 4 * C) + C * C)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'kv_stride': 0}, 'kv_stride: expected 1 or more, got 0'),
        ({'channels': 0}, 'channels: expected 1 or more, got 0'),
        ({'num_heads': 3}, 'channels: expected a multiple of num_heads=3, got 8'),
    ],
    ids=str,
)
def test_wrong_arguments(
    options: dict[str, Any], message: str, tasks: dict[str, Task], in_channels: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=message):
        make(tasks, in_channels, **options)
