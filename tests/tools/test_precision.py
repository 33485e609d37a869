"""Each mode of precision gives what float32 gives, within the tolerance that the benchmark states."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

ROOT = Path(__file__).parents[2]
PARTS = ('loss', 'semseg/loss_ce', 'depth/loss_l1', 'normals/loss_cosine')


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ranks = load(ROOT / 'tests' / 'engine' / 'ranks.py')


@pytest.fixture(scope='module')
def benchmark() -> ModuleType:
    return load(ROOT / 'tools' / 'benchmarks' / 'precision.py')


@pytest.mark.slow
def test_modes_train_as_float32(benchmark: ModuleType, tmp_path: Path) -> None:
    """The losses of six steps; scores after so few are noise, and larger steps blow rounding up."""
    losses = {}
    for mode in ('float32', 'bfloat16', 'channels-first', 'accumulation'):
        cfg = ranks.config(tmp_path, mode)
        cfg.optim_wrapper.optimizer.lr = 0.005
        steps = ranks.train(benchmark.mode_config(cfg, mode, (0, 1)))['steps']
        losses[mode] = torch.tensor([[step[key] for key in PARTS] for step in steps], dtype=torch.float64)
    losses['accumulation'] = losses['accumulation'].view(6, 2, 4).mean(1)  # a step takes two batches
    reference = losses.pop('float32')
    assert reference.shape == (6, 4) and (reference[-1] < reference[0]).all()
    distances = {mode: (values / reference - 1).abs().max().item() for mode, values in losses.items()}
    assert 1e-4 < distances['bfloat16'] < 0.02, distances
    assert 1e-6 < distances['accumulation'] < 0.1, distances  # of two halves, whose labels are spread unevenly
    assert 0 < distances['channels-first'] < 1e-3, distances


class TestTable:
    SCORES = {  # noqa: RUF012 (not changed)
        'float32': {'semseg/mIoU': 10.0, 'depth/rmse': 1.0},
        'bfloat16': {'semseg/mIoU': 10.1, 'depth/rmse': 0.96},
    }

    def test_distance_is_the_largest_relative_difference(self, benchmark: ModuleType) -> None:
        assert benchmark.distance(self.SCORES, 'bfloat16') == pytest.approx(0.04)

    def test_rows(self, benchmark: ModuleType) -> None:
        rows = benchmark.table(self.SCORES).splitlines()
        assert rows[-1] == '| bfloat16 | 10.100 |  | 0.960 |  |  | 4.0% | 10% |'

    def test_out_of_tolerance_fails(
        self, benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
    ) -> None:
        results = iter([self.SCORES['float32'], {'semseg/mIoU': 8.9, 'depth/rmse': 1.0}])
        monkeypatch.setattr(benchmark, 'run', lambda *_, **__: next(results))
        assert benchmark.main(['--modes', 'float32', 'bfloat16']) == 1
        assert 'out of tolerance: bfloat16' in capsys.readouterr().err
