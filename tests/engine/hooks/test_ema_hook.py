"""The average of the weights."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import torch
from torch import nn

from mtlbox.config import load_config
from mtlbox.registry import HOOKS

CONFIG = Path(__file__).parents[3] / 'configs' / 'ctal' / 'ctal_hrnet18_rooms.py'


def average_of(model: nn.Module) -> nn.Module:
    """The average that the rooms config keeps of a model."""
    (config,) = [hook for hook in load_config(CONFIG).custom_hooks if hook['type'] == 'EMAHook']
    hook = HOOKS.build(config)
    hook.before_run(SimpleNamespace(model=model))
    return hook.ema_model


def test_average_forgets_the_start_of_a_short_run() -> None:
    """Weights that are 1 at the first step and 0 from then on: little of the 1 is left after a few hundred steps."""
    model = nn.Linear(1, 1)
    average = average_of(model)
    for value in (1.0, *[0.0] * 300):
        nn.init.constant_(model.weight, value)
        average.update_parameters(model)
    assert abs(float(average.module.weight)) < 1e-3


def test_average_is_near_the_weights_that_stay() -> None:
    model = nn.Linear(2, 2)
    average = average_of(model)
    average.update_parameters(model)
    nn.init.constant_(model.weight, 0.5)
    for _ in range(100):
        average.update_parameters(model)
    assert torch.allclose(average.module.weight, model.weight, atol=1e-3)
