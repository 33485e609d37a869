"""What DeepSpeed's wrapper refuses; what it does is in test_ranks.py."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper

from mtlbox.engine import DeepSpeed, zero


def wrapped(**options: Any) -> OptimWrapper:
    return OptimWrapper(torch.optim.SGD(torch.nn.Linear(2, 2).parameters(), lr=0.1), **options)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'deepspeed', SimpleNamespace())


def test_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'deepspeed', None)
    with pytest.raises(
        ImportError, match=r"needs deepspeed, .* pip install --no-build-isolation 'mtlbox\[deepspeed\]'"
    ):
        DeepSpeed(torch.nn.Linear(2, 2))


@pytest.mark.parametrize('stage', [0, 3, '2'])
def test_stage(installed: None, stage: Any) -> None:
    with pytest.raises(ValueError, match=rf"stage must be 1 or 2, but is {stage!r}; for weights take type='FSDP'"):
        DeepSpeed(torch.nn.Linear(2, 2), stage=stage)


@pytest.mark.parametrize('clip', [dict(max_norm=1.0, norm_type=1), dict(type='value', clip_value=1.0)])
def test_other_clipping(installed: None, clip: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r'clips by the 2-norm only: clip_grad=dict\(max_norm=\.\.\.\), but'):
        DeepSpeed(torch.nn.Linear(2, 2)).attach(wrapped(clip_grad=clip))


def test_the_count_of_steps_is_no_map_over_a_scalar_parameter() -> None:
    slots: dict[str, Any] = {}
    scalar = torch.nn.Parameter(torch.tensor(1.0))
    zero._divide(slots, 'step', torch.tensor(7.0), torch.zeros(5), scalar)
    zero._divide(slots, 'exp_avg', torch.tensor(3.0), torch.zeros(5), scalar)
    assert slots['step'] == 7 and slots['step'].shape == ()
    assert slots['exp_avg'].shape == (5,)
    assert zero._whole('step', slots['step'], torch.zeros(()), scalar) is slots['step']
