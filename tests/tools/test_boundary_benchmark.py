"""The benchmark of the boundary score."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location('boundary', ROOT / 'tools' / 'benchmarks' / 'boundary.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, 'argv', ['boundary.py', *arguments])
    benchmark.main()


def test_prints_time_per_image_and_per_match(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    small = ['--size', '48x64', '--images', '1']
    run(benchmark, monkeypatch, *small)
    assert ' s an image, ' in (out := capsys.readouterr().out) and ' ms a match, ' in out
    for kind in ('lines', 'noise'):
        run(benchmark, monkeypatch, *small, '--kind', kind, '--protocol', 'survey', '--json')
        result = json.loads(capsys.readouterr().out)
        assert set(result) == {'image_s', 'match_ms', 'matches', 'pred_pixels', 'true_pixels', 'odsF'}
        assert 0 < result['match_ms'] / 1000 * result['matches'] < 2 * result['image_s'] < math.inf
        assert 0 < result['matches'] <= 99 and 0 < result['odsF'] < 100


def test_unknown_protocol(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit):
        run(benchmark, monkeypatch, '--protocol', 'surveys')
    assert "not a known boundary protocol. Did you mean 'survey'" in capsys.readouterr().err


@pytest.mark.slow
def test_an_image_of_the_published_size_is_timed(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    run(benchmark, monkeypatch, '--images', '1', '--json')
    result = json.loads(capsys.readouterr().out)
    assert result['pred_pixels'] > 10_000 and result['matches'] > 50
    assert result['image_s'] > 0
