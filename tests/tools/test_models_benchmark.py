"""The benchmark of all configs: what it measures, compares and refuses. Figures themselves are no matter of a test."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from mtlbox.apis.measuring import extra_peak_mb, median_ratio, median_seconds, resident_mb
from mtlbox.tasks import build_tasks

ROOT = Path(__file__).parents[2]
CPU = torch.device('cpu')
TWO = ['demt/demt_hrnet18_rooms', 'mtl/mtl_hrnet18_rooms']


@pytest.fixture(scope='module')
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location('models_benchmark', ROOT / 'tools/benchmarks/models.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_patterns(tool: ModuleType) -> None:
    assert set(TWO) < set(tool.find(['*']))
    assert tool.find(['mtl/mtl_*18_rooms', 'demt/demt_hrnet18_rooms']) == TWO
    with pytest.raises(ValueError, match=r"no config fits 'mtl/mtl_hrnet18_room'.*'mtl/mtl_hrnet18_rooms'"):
        tool.find(['mtl/mtl_hrnet18_room'])


def test_noise_is_legal_for_every_task(tool: ModuleType) -> None:
    tasks = build_tasks(
        {
            'semseg': {'type': 'SemSeg', 'num_classes': 5},
            'human_parts': {'type': 'HumanParts', 'num_classes': 7},
            'saliency': {'type': 'Saliency', 'channels': 2},
            'depth': {'type': 'Depth'},
            'normals': {'type': 'Normals'},
            'boundary': {'type': 'Boundary'},
        }
    )
    batch = tool.make_batch(tasks, (8, 12), 3)
    assert len(batch['inputs']) == 3 and batch['inputs'][0].shape == (3, 8, 12)
    for sample in batch['data_samples']:
        for key, task in tasks.items():
            gt = sample.map('gt', key)
            assert gt.shape == (task.gt_channels, 8, 12) and gt.dtype == task.dtype
            task.check(gt[0].numpy() if task.gt_channels == 1 else gt.permute(1, 2, 0).numpy(), key)
            assert task.valid(gt[None]).any()


def results(**neck: Any) -> list[dict[str, Any]]:
    figures = {'forward_s': 0.2, 'step_s': 1.0, 'peak_mb': 80.0}
    return [{'config': TWO[0], **figures, **neck}, {'config': TWO[1], **figures}]


def run(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, found: list[dict[str, Any]], *options: str) -> int:
    by_name = {result['config']: result for result in found}
    monkeypatch.setattr(tool, 'measure_apart', lambda argv, name: by_name[name])
    return tool.main([*TWO, *options])


def test_a_saved_run_is_compared_with(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = str(tmp_path / 'new folder' / 'before.json')
    first = results(neck_s=0.5, reference_s=1.0, neck_ratio=0.52)
    assert run(tool, monkeypatch, first, '--save', saved) == 0
    assert '| `demt/demt_hrnet18_rooms` | 0.200 | 1.000 | 80 | 0.500 | 1.000 | 0.52 |' in capsys.readouterr().out
    second = results(neck_s=0.25, reference_s=1.0, neck_ratio=0.25)
    second[1]['step_s'] = 2.0
    assert run(tool, monkeypatch, second, '--compare', saved) == 0
    out = capsys.readouterr().out
    assert '0.250 (0.50)' in out and '2.000 (2.00)' in out and '80 (1.00)' in out
    with pytest.raises(SystemExit):
        run(tool, monkeypatch, second, '--compare', saved, '--batch', '4')
    assert "'batch': 2" in capsys.readouterr().err


def test_what_is_measured_outlives_the_run(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / 'run.json'

    def measure(argv: list[str], name: str) -> dict[str, Any]:
        if name == TWO[1]:
            raise KeyboardInterrupt
        return results()[0]

    monkeypatch.setattr(tool, 'measure_apart', measure)
    with pytest.raises(SystemExit, match='130'):
        tool.main([*TWO, '--save', str(saved)])
    assert [result['config'] for result in json.loads(saved.read_text())['results']] == TWO[:1]
    assert '| `demt/demt_hrnet18_rooms` | 0.200 |' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        (None, 'No such file'),
        ('{"settings', 'before.json: is no JSON; --compare takes a file that --save of this tool wrote'),
        ('{"results": []}', 'before.json: lacks settings and results of configs'),
        ('[1]', 'before.json: lacks settings and results of configs'),
        ('{"settings": {}, "results": [{"step_s": 1}]}', 'before.json: lacks settings and results of configs'),
    ],
)
def test_a_wrong_file_is_named_before_anything_is_measured(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, said: str
) -> None:
    before = tmp_path / 'before.json'
    if text is not None:
        before.write_text(text)
    with pytest.raises(SystemExit, match='2'):
        tool.main([*TWO, '--compare', str(before)])
    err = capsys.readouterr().err
    assert said in err and str(before) in err
    with pytest.raises(SystemExit, match='2'):
        tool.main([*TWO, '--save', str(tmp_path)])
    assert f'--save {tmp_path} is a folder' in capsys.readouterr().err


@pytest.mark.parametrize(('neck', 'code'), [(1.05, 0), (1.2, 1)])
def test_a_neck_that_is_slower_than_its_transcription_is_a_failure(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], neck: float, code: int
) -> None:
    assert run(tool, monkeypatch, results(neck_s=1.0, reference_s=1.0, neck_ratio=neck)) == code
    assert (f'slower than its transcription: {TWO[0]}' in capsys.readouterr().err) is bool(code)


def test_a_config_that_fails_does_not_stop_the_others(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [{'config': TWO[0], 'error': 'out of memory'}, results()[1]]
    assert run(tool, monkeypatch, found) == 1
    out = capsys.readouterr()
    assert '| `demt/demt_hrnet18_rooms` | failed |' in out.out and '| `mtl/mtl_hrnet18_rooms` | 0.200 |' in out.out
    assert 'out of memory' in out.err


def test_what_a_config_fails_with_is_told(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match='2'):
        tool.main(['--one', TWO[0], '--cfg-options', 'model.neck.attention=globl'])
    said = capsys.readouterr().err

    class Ended:
        returncode = 2

        def communicate(self) -> tuple[str, str]:
            return '', said

    monkeypatch.setattr(tool, 'start', lambda *args, **kwargs: Ended())
    assert "model.neck has no key 'attention'" in tool.measure_apart([], TWO[0])['error']


@pytest.mark.parametrize('option', ['--size 0 64', '--batch 0', '--threads 0', '--repeats -1'])
def test_counts_below_one_are_refused_by_name(
    tool: ModuleType, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    with pytest.raises(SystemExit, match='2'):
        tool.main([*TWO, *option.split()])
    name, number, *_ = option.split()
    assert f'{name}: expected 1 or more, got {number}' in capsys.readouterr().err


@pytest.mark.slow
def test_a_config_is_measured_in_a_process_of_its_own(tool: ModuleType, tmp_path: Path) -> None:
    saved = tmp_path / 'run.json'
    options = ['--size', '32', '48', '--batch', '2', '--repeats', '1', '--seconds', '0', '--margin', '1000']
    assert tool.main(['tif/tif_hrnet18_rooms', '--save', str(saved), *options]) == 0
    (result,) = json.loads(saved.read_text())['results']
    assert result['config'] == 'tif/tif_hrnet18_rooms'
    assert result['step_s'] > result['forward_s'] > 0
    assert result['peak_mb'] > 20  # gradients and optimiser state of 4 M parameters alone are 48 MB
    assert result['neck_s'] > 0 and result['reference_s'] > 0 and result['neck_ratio'] > 0


def test_measuring() -> None:
    calls: list[str] = []
    passes = {name: lambda name=name: calls.append(name) for name in 'ab'}
    seconds = median_seconds(passes, repeats=3, at_least=0, device=CPU)
    assert calls == ['a', 'b'] * 4 and set(seconds) == {'a', 'b'}
    assert median_ratio([1.0, 20.0, 3.0], [2.0, 40.0, 2.0]) == 0.5  # the second round under load
    held: list[torch.Tensor] = []
    assert extra_peak_mb(lambda: held.append(torch.ones(64 * 2**18)), device=CPU) == pytest.approx(64, abs=16)
    assert resident_mb('VmRSS') > 64
    with pytest.raises(RuntimeError, match='has no VmXYZ'):
        resident_mb('VmXYZ')
