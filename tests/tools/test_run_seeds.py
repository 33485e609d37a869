"""Several seeds by their tool; the training itself is replaced by a script, but for one slow test."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from mtlbox.leaderboard.runs import find_results, read_run

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs/mtl/mtl_hrnet18_rooms.py')
SMALL = [
    *(f'{part}_dataloader.dataset.{key}' for part in ('train', 'val', 'test') for key in ('length=2', 'size=(32,64)')),
    *(f'{part}_dataloader.batch_size=2' for part in ('train', 'val', 'test')),
    'train_cfg.max_epochs=1',
]
STAND_IN = """
import argparse, json, os, pathlib, signal, sys, time
parser = argparse.ArgumentParser()
parser.add_argument('config')
parser.add_argument('--work-dir', type=pathlib.Path)
parser.add_argument('--seed', type=int)
parser.add_argument('--resume', action='store_true')
parser.add_argument('--cfg-options', nargs='+', default=[])
args = parser.parse_args()
args.work_dir.mkdir(parents=True, exist_ok=True)
with open(args.work_dir / 'calls', 'a') as calls:
    calls.write(f'{args.seed} {args.resume} {args.cfg_options}\\n')
if 'wait' in args.cfg_options:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(75))
    (args.work_dir / 'waiting').touch()
    time.sleep(60)
if 'stop' in args.cfg_options and not args.resume:
    (args.work_dir / 'last_checkpoint').write_text('x')
    sys.exit(75)
if args.cfg_options == ['fail']:
    sys.exit(2)
scores = {'depth/rmse': 1.0 + args.seed}
result = {'config': args.config, 'seed': args.seed, 'protocols': {'depth': 'pixel-pooled'}, 'scores': scores}
(args.work_dir / 'result.json').write_text(json.dumps(result))
"""


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location('run_seeds', ROOT / 'tools' / 'run_seeds.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool, which calls the stand-in."""
    module = load()
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools' / 'train.py').write_text(STAND_IN)
    monkeypatch.setattr(module, 'TOOLS', tmp_path / 'tools')
    return module


def run(tool: ModuleType, work_dir: Path, *arguments: str) -> int:
    """Return the exit code."""
    try:
        tool.main([CONFIG, '--work-dir', str(work_dir), *arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def calls(work_dir: Path, seed: int) -> list[str]:
    return (work_dir / f'seed_{seed}' / 'calls').read_text().splitlines()


def test_seeds_are_trained_once_and_combined(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / 'runs'
    assert run(tool, out, '--seeds', '0', '2', '--cfg-options', 'a=1', 'b=2') == 0
    result = json.loads((out / 'result.json').read_text())
    assert result['seeds'] == [0, 2] and result['scores'] == {'depth/rmse': 2.0}
    assert result['std']['depth/rmse'] == pytest.approx(2**0.5)
    assert 'depth/rmse           2.0000 ± 1.4142' in capsys.readouterr().out
    assert run(tool, out, '--seeds', '0', '1', '2', '--cfg-options', 'a=1', 'b=2') == 0
    assert json.loads((out / 'result.json').read_text())['seeds'] == [0, 1, 2]
    for seed in (0, 1, 2):
        assert calls(out, seed) == [f"{seed} False ['a=1', 'b=2']"]
    assert find_results([out]) == [out / 'result.json']


def test_a_stopped_seed_goes_on(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / 'runs'
    assert run(tool, out, '--seeds', '0', '1', '--cfg-options', 'stop') == 75
    assert 'exit code 75; call this again to go on' in capsys.readouterr().err
    assert not (out / 'result.json').exists() and not (out / 'seed_1').exists()
    assert run(tool, out, '--seeds', '0', '--cfg-options', 'stop') == 0
    assert calls(out, 0) == ["0 False ['stop']", "0 True ['stop']"]


def test_a_failed_seed_ends_it(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(tool, tmp_path / 'runs', '--seeds', '0', '1', '--cfg-options', 'fail') == 2
    err = capsys.readouterr().err
    assert 'seed 0 ended with exit code 2' in err and 'again' not in err


def test_torchruns_exit_code_may_be_a_stop(tool: ModuleType) -> None:
    assert 'if it was stopped' in tool.how_to_go_on(1, 2)
    assert tool.how_to_go_on(1, None) == ''


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--seeds', '0', '0'], '--seeds names a seed twice'),
        (['--seeds', '0', '-1'], '--seeds must be 0 at least, got -1'),
        (['--seeds', '0', '--processes', '0'], '--processes must be 1 at least, got 0'),
        (['--seeds', '0', '--seed', '3'], '--seed is set by this tool'),
        (['--seeds', '0', '--resume=x'], '--resume=x is set by this tool'),
        (['--seeds', '0', '--cfg-options', 'randomness.seed=1'], 'randomness.seed=1 is set by this tool'),
    ],
)
def test_what_the_tool_sets_is_refused(
    tool: ModuleType, tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    assert run(tool, tmp_path / 'runs', *arguments) == 2
    assert message in capsys.readouterr().err


def test_a_work_dir_that_is_a_file_is_refused(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / 'file').touch()
    assert run(tool, tmp_path / 'file', '--seeds', '0') == 2
    assert f'error: --work-dir {tmp_path / "file"} is a file; name a folder' in capsys.readouterr().err


def test_a_finished_seed_without_its_result_is_told_before_others_train(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run(tool, tmp_path, '--seeds', '0') == 0
    (tmp_path / 'seed_0' / 'result.json').unlink()
    assert run(tool, tmp_path, '--seeds', '1', '0') == 2
    assert f'or remove {tmp_path / "seed_0" / "done"} to train it again' in capsys.readouterr().err
    assert not (tmp_path / 'seed_1').exists()
    (tmp_path / 'seed_0' / 'done').unlink()
    assert run(tool, tmp_path, '--seeds', '1', '0') == 0


def test_other_settings_are_refused(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(tool, tmp_path / 'runs', '--seeds', '0', '--cfg-options', 'a=1') == 0
    assert run(tool, tmp_path / 'runs', '--seeds', '1', '--cfg-options', 'a=2') == 2
    assert 'has seeds of other settings' in capsys.readouterr().err


def test_a_config_that_was_edited_is_another(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    config = tmp_path / 'mine.py'
    for seed, weight in (('0', '0.1'), ('1', '0.2')):
        config.write_text(f'_base_ = {CONFIG!r}\noptim_wrapper = dict(optimizer=dict(weight_decay={weight}))\n')
        with contextlib.suppress(SystemExit):
            tool.main([str(config), '--work-dir', str(tmp_path / 'runs'), '--seeds', seed])
    assert 'has seeds of other settings' in capsys.readouterr().err
    assert not (tmp_path / 'runs' / 'seed_1').exists()


def test_settings_without_anything_trained_hold_nothing(tool: ModuleType, tmp_path: Path) -> None:
    assert run(tool, tmp_path, '--seeds', '0', '--cfg-options', 'fail') == 2
    assert run(tool, tmp_path, '--seeds', '0', '--cfg-options', 'a=1') == 0
    assert calls(tmp_path, 0) == ["0 False ['fail']", "0 False ['a=1']"]
    assert run(tool, tmp_path, '--seeds', '1', '--cfg-options', 'a=2') == 2


def test_a_stopped_seed_holds_its_settings(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(tool, tmp_path, '--seeds', '0', '--cfg-options', 'stop') == 75
    assert run(tool, tmp_path, '--seeds', '0', '--cfg-options', 'a=2') == 2
    assert 'has seeds of other settings' in capsys.readouterr().err


def test_another_number_of_processes_is_another_setting(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run(tool, tmp_path, '--seeds', '0') == 0
    assert run(tool, tmp_path, '--seeds', '1', '--processes', '2') == 2
    assert "'processes': 2}: give another --work-dir" in capsys.readouterr().err
    settings = json.loads((tmp_path / 'settings.json').read_text())
    del settings['processes']  # as of before it was noted
    (tmp_path / 'settings.json').write_text(json.dumps(settings))
    assert run(tool, tmp_path, '--seeds', '1') == 0


def test_a_config_by_another_path_is_the_same(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    for seed, path in enumerate(('configs/mtl/mtl_hrnet18_rooms.py', './configs/mtl/mtl_hrnet18_rooms.py', CONFIG)):
        tool.main([path, '--work-dir', str(tmp_path), '--seeds', str(seed)])
    result = json.loads((tmp_path / 'result.json').read_text())
    assert result['seeds'] == [0, 1, 2] and result['config'] == 'configs/mtl/mtl_hrnet18_rooms.py'


def test_folders_that_are_no_seeds_are_left_alone(tool: ModuleType, tmp_path: Path) -> None:
    for name in ('seed_0_backup', 'seed_x', 'seed_007'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'done').touch()
    assert run(tool, tmp_path, '--seeds', '0') == 0
    assert json.loads((tmp_path / 'result.json').read_text())['seeds'] == [0]


def test_settings_that_cannot_be_read_are_named(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / 'settings.json').write_text('{')
    assert run(tool, tmp_path, '--seeds', '0') == 2
    assert f'{tmp_path / "settings.json"} is not valid JSON' in capsys.readouterr().err


def test_an_abbreviated_option_reaches_no_training(capsys: pytest.CaptureFixture) -> None:
    spec = importlib.util.spec_from_file_location('train', ROOT / 'tools' / 'train.py')
    assert spec is not None and spec.loader is not None
    train = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(train)
    with pytest.raises(SystemExit):
        train.parse_args([CONFIG, '--see', '7'])
    assert 'unrecognized arguments: --see 7' in capsys.readouterr().err


def test_the_stop_signal_reaches_the_run(tmp_path: Path) -> None:
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools' / 'train.py').write_text(STAND_IN)
    (tmp_path / 'tools' / 'run_seeds.py').write_text((ROOT / 'tools' / 'run_seeds.py').read_text())
    command = [sys.executable, 'tools/run_seeds.py', CONFIG, '--work-dir', 'runs', '--seeds', '0']
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    tool = subprocess.Popen([*command, '--cfg-options', 'wait'], cwd=tmp_path, env=env)
    deadline = time.monotonic() + 60
    while not (tmp_path / 'runs' / 'seed_0' / 'waiting').exists():
        assert time.monotonic() < deadline and tool.poll() is None
        time.sleep(0.05)
    tool.send_signal(signal.SIGTERM)
    assert tool.wait(timeout=30) == 75


@pytest.mark.slow
def test_two_seeds_are_a_row_of_the_leaderboard(tmp_path: Path) -> None:
    tool = load()
    assert run(tool, tmp_path / 'runs', '--seeds', '0', '1', '--cfg-options', *SMALL) == 0
    runs = [json.loads((tmp_path / 'runs' / f'seed_{seed}' / 'result.json').read_text()) for seed in (0, 1)]
    row = read_run(tmp_path / 'runs' / 'result.json')
    assert (row.runs, row.backbone, row.dataset, row.setting) == (2, 'HRNet-W18-small-v2', 'rooms', '2 scenes at 32x64')
    assert runs[0]['seed'] == 0 and runs[1]['seed'] == 1
    first, second = (result['scores']['depth/rmse'] for result in runs)
    assert first != second
    assert row.scores['depth/rmse'] == pytest.approx((first + second) / 2)
    assert row.std['depth/rmse'] == pytest.approx(abs(first - second) / 2**0.5)
