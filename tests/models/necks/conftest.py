"""What the tests of necks share: three tasks, and a small pyramid of maps."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from mtlbox.tasks import Task, build_tasks

CHANNELS = (16, 20, 24, 28)


@pytest.fixture
def tasks() -> dict[str, Task]:
    return build_tasks(
        {'semseg': {'type': 'SemSeg', 'num_classes': 5}, 'depth': {'type': 'Depth'}, 'normals': {'type': 'Normals'}}
    )


@pytest.fixture
def pyramid() -> list[Tensor]:
    """Maps of two images of 64x96, at 1/4 to 1/32."""
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randn(2, channels, 16 >> level, 24 >> level, generator=generator)
        for level, channels in enumerate(CHANNELS)
    ]


@pytest.fixture
def in_channels() -> tuple[int, ...]:
    return CHANNELS


@pytest.fixture(scope='session')
def references() -> ModuleType:
    """Transcriptions of the necks' specifications, ``references.py``."""
    path = Path(__file__).with_name('references.py')
    spec = importlib.util.spec_from_file_location('references', path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
