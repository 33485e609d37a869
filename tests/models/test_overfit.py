"""Every method learns four images by heart: what it has can represent them, and gradients arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

STEPS = 110


@pytest.mark.slow
def test_four_images_are_learnt_by_heart(
    method_config: str, make_small: Callable[[int], tuple[nn.Module, dict[str, Any]]]
) -> None:
    model, data = make_small(4)
    rate = 1e-3 if 'mtformer' in method_config else 3e-3
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=STEPS)
    history = []
    for _ in range(STEPS):
        total, logs = model.parse_losses(model(**data, mode='loss'))
        history.append({name: value.item() for name, value in logs.items() if '/loss_' in name})
        optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 35.0)
        optimizer.step()
        schedule.step()
    first, last = history[0], history[-1]
    final = [name for name in first if name.partition('/')[0] in model.tasks and 'initial' not in name]
    assert len(final) == 3
    assert all(last[name] < 0.3 * first[name] for name in final), f'{first} became {last}'
    assert all(last[name] < first[name] for name in first), f'{first} became {last}'
