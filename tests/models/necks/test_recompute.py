"""Activation checkpointing of every neck that has it: the same results, gradients and statistics from less memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtlbox.registry import NECKS
from mtlbox.tasks import Task

SIZE = {'feature_size': (16, 24)}
CONFIGS: list[dict[str, Any]] = [
    {'type': 'PADNet', 'initial_channels': 12, 'initial_mid_channels': 4},
    {'type': 'PAPNet', 'channels': 8, 'initial_channels': 12, 'initial_mid_channels': 4},
    {'type': 'InitialConcat', 'initial_channels': 12, 'initial_mid_channels': 4},
    {'type': 'CTAL', **SIZE, 'channels': 8, 'initial_channels': 12, 'initial_mid_channels': 4},
    {'type': 'CTALMultiScale', **SIZE, 'channels': 8},
    {'type': 'MTINet'},
    {'type': 'DeMT', 'channels': 8},
    {'type': 'GlobalAttention', 'channels': 8},
    {'type': 'TIF', 'channels': 8, 'out_channels': 12},
    {'type': 'TIF', 'channels': 8, 'out_channels': 12, 'distill': 'cross'},
    {'type': 'MTFormer', 'channels': 12, 'num_heads': 2},
    {'type': 'MTFormer', 'channels': 12, 'num_heads': 2, 'cross_attention': False},
]


def test_every_neck_that_can_recompute_is_here() -> None:
    NECKS.import_from_location()
    can = {name for name, neck in NECKS.module_dict.items() if 'with_cp' in neck.__init__.__annotations__}
    can |= {'InitialConcat'}  # whose arguments are those of its base
    assert can == {config['type'] for config in CONFIGS}


def train(neck: nn.Module, pyramid: Sequence[Tensor]) -> tuple[dict[str, Tensor], int]:
    """Results of one step by name, and the bytes that the forward pass keeps, weights aside."""
    maps = [level.clone().requires_grad_() for level in pyramid]
    weights = {id(x) for x in neck.parameters()}
    kept: dict[int, int] = {}

    def keep(x: Tensor) -> Tensor:
        if id(x) not in weights and not x.is_leaf:
            kept[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        output = neck(maps)
    total = torch.stack([x.cos().sum() for x in output.features.values()]).sum()
    (total + sum(a.logits.sin().sum() for a in output.auxiliaries)).backward()
    results = {f'features of {key}': x for key, x in output.features.items()}
    results |= {f'gradient of {name}': x.grad for name, x in neck.named_parameters() if x.grad is not None}
    results |= {f'gradient of map {i}': x.grad for i, x in enumerate(maps)}
    return results | dict(neck.named_buffers()), sum(kept.values())


@pytest.mark.parametrize('config', CONFIGS, ids=str)
def test_recomputing_changes_nothing_but_memory(
    config: dict[str, Any], tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    results, memory = [], []
    for with_cp in (False, True):
        torch.manual_seed(0)
        neck = NECKS.build({**config, 'tasks': tasks, 'in_channels': in_channels, 'with_cp': with_cp}).train()
        of_step, kept = train(neck, pyramid)
        results.append(of_step)
        memory.append(kept)
    plain, recomputed = results
    assert plain.keys() == recomputed.keys() and len(plain) > 10
    for name, value in plain.items():
        torch.testing.assert_close(recomputed[name], value, msg=lambda text, name=name: f'{name}: {text}')
    assert memory[1] < 0.7 * memory[0], memory
