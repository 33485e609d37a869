"""Necks against straightforward transcriptions of their specifications, results and gradients."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtlbox.registry import NECKS
from mtlbox.tasks import Task

SIZE = {'feature_size': (16, 24)}
INITIAL = {'initial_channels': 12, 'initial_mid_channels': 4}
CONFIGS: list[dict[str, Any]] = [
    {'type': 'CTAL', **SIZE, 'channels': 8, 'gamma': 0.5, 'impl': 'dense', **INITIAL},
    {'type': 'CTAL', **SIZE, 'channels': 8, 'gamma': 0.5, 'impl': 'factored', **INITIAL},
    {'type': 'PAPNet', 'channels': 8, 'beta': 0.5, 'impl': 'dense', **INITIAL},
    {'type': 'PAPNet', 'channels': 8, 'beta': 0.5, 'impl': 'factored', **INITIAL},
    {'type': 'PAPNet', 'channels': 8, 'beta': 0.5, 'divide': 'rows', 'normalise_over': 'channels', **INITIAL},
    {'type': 'DeMT', 'channels': 8, 'num_heads': 2},
    {'type': 'DeMT', 'channels': 8, 'num_heads': 2, 'attention': 'global'},
    {'type': 'MTFormer', 'channels': 12, 'num_heads': 2, 'window': 7},
    {'type': 'MTFormer', 'channels': 12, 'num_heads': 2, 'window': 5, 'scale_quirk': True},
    {'type': 'MTFormer', 'channels': 12, 'num_heads': 2, 'cross_attention': False},
    {'type': 'TIF', 'channels': 8, 'out_channels': 12},
    {'type': 'TIF', 'channels': 8, 'out_channels': 12, 'distill': 'cross'},
]


@pytest.mark.parametrize('config', CONFIGS, ids=str)
def test_it_is_its_transcription(
    references: ModuleType,
    config: dict[str, Any],
    tasks: dict[str, Task],
    pyramid: list[Tensor],
    in_channels: tuple[int, ...],
) -> None:
    """Maps are 16x24, no multiple of the windows of 7 and 5: there is padding, and it is shifted."""
    torch.manual_seed(0)
    neck = NECKS.build({**config, 'tasks': tasks, 'in_channels': in_channels}).double().eval()
    for module in neck.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2)
    with torch.no_grad():
        for value in neck.parameters():  # starts are so small that nothing would be seen
            value.add_(0.1 * torch.randn_like(value))
    assert references.has_reference(neck)
    maps = [level.double().requires_grad_() for level in pyramid]
    results = []
    for function in (lambda x: neck(x).features, lambda x: references.REFERENCES[config['type']](neck, x)):
        features = function(maps)
        assert list(features) == list(tasks)
        total = torch.stack([x.cos().sum() for x in features.values()]).sum()
        results.append((features, torch.autograd.grad(total, maps)))
    (ours, gradients), (reference, reference_gradients) = results
    for key in tasks:
        torch.testing.assert_close(ours[key], reference[key])
    torch.testing.assert_close(gradients, reference_gradients)


@pytest.mark.parametrize(
    'config',
    [
        {'type': 'MTFormer', 'channels': 12, 'num_heads': 2, 'update_others': True},
        {'type': 'MTFormer', 'channels': 12, 'num_heads': 2, 'unmapped_residual': False},
        {'type': 'MTFormer', 'channels': 12, 'num_heads': 2, 'feature_fusion': False},
        {'type': 'DeMT', 'channels': 8, 'query': False},
        {'type': 'DeMT', 'channels': 8, 'attention': 'none'},
        {'type': 'CTAL', **SIZE, 'affinity_stride': 8, **INITIAL},
        {'type': 'CTAL', **SIZE, 'fusion': 'per_task', **INITIAL},
        {'type': 'PADNet', **INITIAL},
    ],
    ids=str,
)
def test_switches_without_a_transcription(
    references: ModuleType, config: dict[str, Any], tasks: dict[str, Task], in_channels: tuple[int, ...]
) -> None:
    assert not references.has_reference(NECKS.build({**config, 'tasks': tasks, 'in_channels': in_channels}))
