"""What several tests of trainings share."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='session')
def campaign() -> ModuleType:
    """tools/benchmarks/kill_campaign.py: a small training with everything that has a state."""
    if 'kill_campaign' not in sys.modules:
        path = ROOT / 'tools/benchmarks/kill_campaign.py'
        specification = importlib.util.spec_from_file_location('kill_campaign', path)
        assert specification is not None and specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        sys.modules['kill_campaign'] = module  # the config names it in custom_imports
        specification.loader.exec_module(module)
    return sys.modules['kill_campaign']
