"""torch.compile on the model of every method: the same losses and gradients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

ROOT = Path(__file__).parents[2]


def test_every_method_has_a_config_here(request: pytest.FixtureRequest) -> None:
    (conftest,) = (
        plugin
        for plugin in request.config.pluginmanager.get_plugins()
        if Path(getattr(plugin, '__file__', None) or '') == Path(__file__).with_name('conftest.py')
    )
    folders = {path.parent.name for path in ROOT.glob('configs/*/*_rooms.py')}
    assert folders == {config.partition('/')[0] for config in conftest.METHODS.values()}


@pytest.mark.slow
def test_the_compiled_model_does_the_same(make_small: Callable[[int], tuple[nn.Module, dict[str, Any]]]) -> None:
    torch.compiler.reset()
    results: list[dict[str, Any]] = []
    for compiled in (False, True):
        model, batch = make_small(2)
        run = torch.compile(model, backend='aot_eager', dynamic=False) if compiled else model
        total, logs = model.parse_losses(run(**batch, mode='loss'))
        total.backward()
        gradients = {name: x.grad for name, x in model.named_parameters() if x.requires_grad}
        results.append({'losses': logs, 'gradients': gradients})
    plain, compiled_too = results
    assert len(plain['gradients']) > 50 and plain['losses'].keys() == compiled_too['losses'].keys()
    torch.testing.assert_close(compiled_too['losses'], plain['losses'], rtol=1e-4, atol=1e-4)
    whole = torch.stack([x.norm() for x in plain['gradients'].values()]).norm()
    for name, gradient in plain['gradients'].items():  # a bias before batch norm has no gradient but rounding
        error = (compiled_too['gradients'][name] - gradient).norm() / gradient.norm().clamp(min=1e-3 * whole)
        assert error < 0.01, f'{name}: {error}'
