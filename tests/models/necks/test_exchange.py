"""What is true of every neck that may exchange features between tasks: no task is a special one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mtlbox.registry import NECKS
from mtlbox.tasks import Task

INITIAL = {'initial_channels': 12, 'initial_mid_channels': 4}
NECK_CONFIGS: list[dict[str, Any]] = [
    {'type': 'PADNet', **INITIAL},
    {'type': 'PAPNet', 'channels': 8, 'beta': 0.5, **INITIAL},
    {'type': 'InitialConcat', **INITIAL},
    {'type': 'MTINet'},
    {'type': 'MTINet', 'feature_propagation': False},
    {'type': 'CTALMultiScale', 'feature_size': (16, 24), 'channels': 8, 'gamma': 0.5},
    {'type': 'CTAL', 'feature_size': (16, 24), 'affinity_stride': 8, 'channels': 8, 'gamma': 0.5, **INITIAL},
    {'type': 'CTAL', 'feature_size': (16, 24), 'channels': 8, 'gamma': 0.5, **INITIAL},
    {'type': 'CTAL', 'feature_size': (16, 24), 'channels': 8, 'gamma': 0.5, 'fusion': 'per_task', **INITIAL},
    {
        'type': 'CTAL',
        'feature_size': (16, 24),
        'feature_stride': 32,
        'channels': 8,
        'gamma': 0.5,
        'fuse': False,
        'reduce_norm': True,
        **INITIAL,
    },
    {'type': 'DeMT', 'channels': 8},
    {'type': 'DeMT', 'channels': 8, 'attention': 'global', 'kv_stride': 2, 'depth': 2, 'gated_channels': 12},
    {'type': 'TIF', 'channels': 8, 'out_channels': 12, 'distill': 'cross'},
    {'type': 'GlobalAttention', 'channels': 8, 'num_heads': 2},
    {'type': 'MTFormer', 'channels': 8},
    {'type': 'MTFormer', 'channels': 8, 'update_others': True},
]
WITHOUT_EXCHANGE: list[dict[str, Any]] = [
    {'type': 'TIF', 'channels': 8, 'out_channels': 12},
    {'type': 'GlobalAttention', 'channels': 8, 'num_heads': 2, 'interaction': False},
    {'type': 'DeMT', 'channels': 8, 'attention': 'none'},
    {'type': 'DeMT', 'channels': 8, 'query': False},
    {'type': 'MTFormer', 'channels': 8, 'cross_attention': False},
]
OF_ONE_TASK = ('initial_blocks', 'multi_scale.scales', 'mixers', '.project.', 'own.depth')
"""What comes before the exchange."""


def renamed(name: str, names: dict[str, str]) -> str:
    return '.'.join(names.get(part, part) for part in name.split('.'))


@pytest.mark.parametrize('config', NECK_CONFIGS + WITHOUT_EXCHANGE, ids=str)
def test_swapping_tasks_permutes_outputs(
    config: dict[str, Any], tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    """Tasks a and b with a's and b's weights swapped give each other's outputs."""
    torch.manual_seed(3)
    two = {key: tasks[key] for key in ('semseg', 'depth')}
    neck = NECKS.build({**config, 'tasks': two, 'in_channels': in_channels}).eval()
    swap = {'semseg': 'depth', 'depth': 'semseg'}
    swapped = NECKS.build(
        {**config, 'tasks': {swap[key]: task for key, task in two.items()}, 'in_channels': in_channels}
    ).eval()
    swapped.load_state_dict({renamed(name, swap): value for name, value in neck.state_dict().items()})
    with torch.no_grad():
        one, other = neck(pyramid), swapped(pyramid)
    assert not torch.allclose(one.features['semseg'], one.features['depth'])
    for key in two:
        torch.testing.assert_close(other.features[swap[key]], one.features[key])
    predictions = {(a.task, a.name): a.logits for a in one.auxiliaries}
    assert len(predictions) == len(one.auxiliaries) == len(other.auxiliaries)
    for a in other.auxiliaries:
        torch.testing.assert_close(a.logits, predictions[swap[a.task], a.name])


def changed_by_depth(
    config: dict[str, Any], tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> set[str]:
    """Tasks whose features change with other weights of depth before the exchange."""
    torch.manual_seed(3)
    neck = NECKS.build({**config, 'tasks': tasks, 'in_channels': in_channels}).eval()
    with torch.no_grad():
        for value in neck.parameters():  # Swin's start is so small that nothing would be seen
            value.add_(0.3 * torch.randn_like(value))
        before = neck(pyramid).features
        for name, value in neck.named_parameters():
            if '.depth.' in name and any(part in name for part in OF_ONE_TASK):
                value.add_(torch.randn_like(value))
        after = neck(pyramid).features
    return {key for key in tasks if not torch.allclose(before[key], after[key], rtol=1e-5, atol=1e-6)}


@pytest.mark.parametrize('config', NECK_CONFIGS, ids=str)
def test_a_task_hears_the_others(
    config: dict[str, Any], tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    assert changed_by_depth(config, tasks, pyramid, in_channels) == set(tasks)


@pytest.mark.parametrize('config', WITHOUT_EXCHANGE, ids=str)
def test_without_interaction_no_task_hears_another(
    config: dict[str, Any], tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    assert changed_by_depth(config, tasks, pyramid, in_channels) == {'depth'}


@pytest.mark.parametrize('config', NECK_CONFIGS + WITHOUT_EXCHANGE, ids=str)
def test_evaluation_is_deterministic_and_leaves_no_trace(
    config: dict[str, Any], tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    torch.manual_seed(3)
    neck = NECKS.build({**config, 'tasks': tasks, 'in_channels': in_channels}).eval()
    state = {name: value.clone() for name, value in neck.state_dict().items()}
    with torch.no_grad():
        one, other = neck(pyramid), neck(pyramid)
    assert all(torch.equal(one.features[key], other.features[key]) for key in tasks)
    assert all(torch.equal(a.logits, b.logits) for a, b in zip(one.auxiliaries, other.auxiliaries))
    assert all(torch.equal(value, state[name]) for name, value in neck.state_dict().items())
