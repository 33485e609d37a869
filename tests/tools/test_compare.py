"""The table of several trainings: what is trained, skipped and refused, and what it says."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
STL = 'configs/stl/stl_hrnet18_rooms.py'
MTL = 'configs/mtl/mtl_hrnet18_rooms.py'
SCORES = {  # by config and seed
    ('stl_hrnet18_rooms', 0): (40.0, 0.2, 20.0),
    ('stl_hrnet18_rooms', 1): (60.0, 0.2, 20.0),
    ('mtl_hrnet18_rooms', 0): (55.0, 0.1, 21.0),
    ('mtl_hrnet18_rooms', 1): (55.0, 0.1, 21.0),
}


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location('compare', ROOT / 'tools/compare.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, 'compare', module)  # where dataclasses look for annotations
    spec.loader.exec_module(module)
    monkeypatch.chdir(ROOT)
    return module


@pytest.fixture
def trained(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The runs that were started, in order; each writes a result at once."""
    started: list[tuple[str, int]] = []

    def train(method: Any, seed: int, folder: Path) -> bool:
        tool.claim(folder, tool.MARKER, tool.settings(method, seed))
        started.append((method.name, seed))
        if (method.name, seed) not in SCORES:
            return False
        scores = dict(zip(('semseg/mIoU', 'depth/relErr', 'normals/mErr'), SCORES[method.name, seed]))
        result = {'device': 'CPU', 'commit': 'abc', 'val': {'epoch': 1, 'iter': 7, 'scores': scores}}
        (folder / 'result.json').write_text(json.dumps(result))
        return True

    monkeypatch.setattr(tool, 'train', train)
    return started


def table(out: Path) -> dict[str, list[str]]:
    lines = [line for line in (out / 'table.md').read_text().splitlines() if line.startswith('| ')]
    return {cells[0]: cells[1:] for cells in ([c.strip() for c in line.strip('|').split('|')] for line in lines)}


def test_table_of_two_seeds(tool: ModuleType, trained: list, tmp_path: Path) -> None:
    assert tool.main([MTL, STL, '--seeds', '0', '1', '--out', str(tmp_path)]) == 0
    assert trained == [(m, seed) for seed in (0, 1) for m in ('mtl_hrnet18_rooms', 'stl_hrnet18_rooms')]
    rows = table(tmp_path)
    assert rows['config'] == [
        'parameters',
        'seeds',
        'semseg/mIoU up',
        'depth/relErr down',
        'normals/mErr down',
        'delta_m',
    ]
    spread = ['11.808 M', '2', '50.00 ± 14.14', '0.2000 ± 0.0000', '20.00 ± 0.00', '']
    assert rows['stl_hrnet18_rooms'] == spread
    assert rows['mtl_hrnet18_rooms'][2:] == ['55.00 ± 0.00', '0.1000 ± 0.0000', '21.00 ± 0.00', '+18.33']  # 10, 50, -5
    text = (tmp_path / 'table.md').read_text()
    assert 'seeds 0, 1; last validation, after 7 steps of 8 images; CPU; commit abc' in text
    assert f'`python tools/compare.py {MTL} {STL} --seeds 0 1 --out {tmp_path}`' in text
    assert 'Not finished' not in text and 'Not one schedule' not in text
    content = json.loads((tmp_path / 'table.json').read_text())
    assert content['delta_m']['mtl_hrnet18_rooms'] == pytest.approx(18.3333, abs=1e-3)


def test_no_gain_against_a_score_of_zero(
    tool: ModuleType, trained: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SCORES, ('stl_hrnet18_rooms', 0), (0.0, 0.2, 20.0))
    assert tool.main([STL, MTL, '--out', str(tmp_path)]) == 0
    assert table(tmp_path)['mtl_hrnet18_rooms'][-1] == ''


def test_finished_runs_are_skipped_and_more_seeds_added(tool: ModuleType, trained: list, tmp_path: Path) -> None:
    for seeds in (['0'], ['0', '1']):
        assert tool.main([STL, '--seeds', *seeds, '--out', str(tmp_path)]) == 0
    assert trained == [('stl_hrnet18_rooms', 0), ('stl_hrnet18_rooms', 1)]
    unfinished = tmp_path / 'stl_hrnet18_rooms/seed_1/result.json'
    result = json.loads(unfinished.read_text())
    unfinished.write_text(json.dumps({**result, 'val': {**result['val'], 'epoch': 0}}))
    assert tool.main([STL, '--seeds', '0', '1', '--only-table', '--out', str(tmp_path)]) == 0
    assert len(trained) == 2
    assert 'Not finished: stl_hrnet18_rooms (seed 1)' in (tmp_path / 'table.md').read_text()
    assert tool.main([STL, '--seeds', '0', '1', '--out', str(tmp_path)]) == 0
    assert trained[2:] == [('stl_hrnet18_rooms', 1)]


def test_a_folder_of_other_settings_is_refused(
    tool: ModuleType, trained: list, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main([MTL, '--out', str(tmp_path)]) == 0
    with pytest.raises(SystemExit):
        tool.main([MTL, '--iters', '3', '--out', str(tmp_path)])
    assert 'was written with other parameters: config_hash' in capsys.readouterr().err
    assert len(trained) == 1


def test_a_failed_run_is_named_and_the_others_go_on(
    tool: ModuleType, trained: list, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool.main([MTL, STL, '--seeds', '5', '0', '--out', str(tmp_path)]) == 1
    assert len(trained) == 4
    assert 'error: mtl_hrnet18_rooms, seed 5 did not finish' in capsys.readouterr().err
    assert table(tmp_path)['mtl_hrnet18_rooms'][1] == '1'


def test_iters_are_steps_whatever_the_batch_size(tool: ModuleType) -> None:
    method = tool.read_method(Path(MTL), 5, ['train_dataloader.batch_size=3'])
    assert method.cfg.train_dataloader.dataset.length == 15 and method.cfg.train_cfg.max_epochs == 1
    assert method.options[0] == 'train_dataloader.batch_size=3' and method.params == 4086457


@pytest.mark.parametrize(
    ('arguments', 'complaint'),
    [
        (['configs/mtl/mtl_hrnet18_nyuv2-13.py', '--iters', '3'], 'for epochs over data sets with a length (rooms)'),
        ([MTL, '--iters', '0'], 'it must be positive'),
        ([MTL, 'configs/mtl/mtl_hrnet18_nyuv2-13.py'], 'has another val_dataloader than'),
        ([MTL, MTL], 'Two of the configs have one name'),
        ([MTL, '--cfg-options', 'train_cfg.max_epoch=3'], "Did you mean 'max_epochs'"),
    ],
)
def test_what_cannot_be_compared(
    tool: ModuleType,
    trained: list,
    tmp_path: Path,
    arguments: list[str],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        tool.main([*arguments, '--out', str(tmp_path / 'out')])
    assert complaint in capsys.readouterr().err
    assert not trained and not (tmp_path / 'out').exists()


def test_other_schedules_are_said(tool: ModuleType, trained: list, tmp_path: Path) -> None:
    other = tmp_path / 'mtl_hrnet18_rooms.py'
    other.write_text(
        f"_base_ = '{ROOT / MTL}'\noptim_wrapper = dict(optimizer=dict(lr=1e-4))\n"
        'model = dict(weighting=dict(weights=dict(depth=3.0)))\n'
    )
    assert tool.main([STL, str(other), '--out', str(tmp_path / 'out')]) == 0
    said = (tmp_path / 'out/table.md').read_text()
    assert 'mtl_hrnet18_rooms has another optim_wrapper, model.weighting than stl_hrnet18_rooms' in said


def test_the_default_is_the_eight_methods(tool: ModuleType) -> None:
    names = [path.stem.removesuffix('_hrnet18_rooms') for path in tool.default_configs()]
    assert names == ['stl', 'mtl', 'pad_net', 'pap_net', 'concat', 'ctal', 'mti_net', 'ctal-ms']
    methods = [tool.read_method(path, 1, []) for path in tool.default_configs()]
    tool.check_comparable(methods)
    for method in methods[1:]:
        assert not tool.differences(methods[0].cfg, method.cfg, tool.SCHEDULE)
        assert not tool.differences(methods[0].cfg.model, method.cfg.model, tool.IN_MODEL)


@pytest.mark.slow
def test_a_real_run(tmp_path: Path) -> None:
    options = [
        'train_dataloader.batch_size=2',
        'val_dataloader.dataset.length=2',
        'default_hooks.checkpoint.save_best=None',
    ]
    command = [sys.executable, 'tools/compare.py', MTL, '--iters', '2', '--seeds', '3', '--out', str(tmp_path)]
    env = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
    for _ in range(2):
        done = subprocess.run(
            [*command, '--cfg-options', *options], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
    assert 'training' not in done.stdout  # the second time
    result = json.loads((tmp_path / 'mtl_hrnet18_rooms/seed_3/result.json').read_text())
    assert result['seed'] == 3 and result['val']['iter'] == 2
    assert table(tmp_path)['mtl_hrnet18_rooms'][1] == '1'
