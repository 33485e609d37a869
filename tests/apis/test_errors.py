"""What a user reads when something goes wrong."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from torch.utils.data import DataLoader, Dataset

from mtlbox.apis import CfgOptions, MTLInferencer, exit_on_user_error
from mtlbox.config import load_config
from mtlbox.engine import build_runner
from mtlbox.engine.failures import from_worker

ROOT = Path(__file__).parents[2]
ROOMS = ROOT / 'configs/ctal/ctal_hrnet18_rooms.py'


class Bad(Dataset):
    """Its samples cannot be read."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        raise ValueError('data/7.npy: the map holds [13]\nError: of two lines')


def load_tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(name).stem, ROOT / f'tools/{name}.py')
    assert spec and spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


@pytest.fixture(autouse=True)
def no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('MTLBOX_TRACEBACK', raising=False)


def test_a_workers_traceback_is_left_out(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as caught, exit_on_user_error():
        next(iter(DataLoader(Bad(), num_workers=1)))
    assert caught.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].endswith('data/7.npy: the map holds [13]') and lines[1] == 'Error: of two lines'
    assert 'Traceback' not in ''.join(lines)


@pytest.mark.parametrize(
    ('name', 'line'),
    [
        ('train', 'Interrupted. The training goes on from its last checkpoint with --resume.'),
        ('analysis_tools/get_complexity', 'Interrupted.'),
    ],
)
def test_ctrl_c_is_a_line(name: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    tool = load_tool(name)
    monkeypatch.setattr(tool, 'load_config', interrupted)
    with pytest.raises(SystemExit) as caught:
        tool.main([str(ROOMS)])
    assert caught.value.code == 130 and capsys.readouterr().err == f'\n{line}\n'


def test_a_reader_that_goes_away_is_no_error() -> None:
    program = 'from mtlbox.apis import exit_on_user_error\nwith exit_on_user_error():\n    print("x\\n" * 10**6)'
    with subprocess.Popen([sys.executable, '-c', program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b'' and process.wait() == 1


def test_other_messages_are_no_workers() -> None:
    assert from_worker('Caught in a trap') is None


@pytest.mark.parametrize(
    ('option', 'value', 'complaint'),
    [
        ('optim_wrapper.optimizer.lr', -1, 'optim_wrapper.optimizer: ValueError: Invalid learning rate: -1'),
        ('model.neck.gamma', 5, 'model.neck: gamma: expected a number from 0 to 1, got 5'),
        ('train_cfg.max_epochs', 0, 'train_cfg: max_epochs must be at least 1, but is 0'),
        ('train_dataloader.batch_size', 20000, 'train_dataloader: RoomsDataset'),
        ('model.heads.in_channels', 100, 'model.heads: RuntimeError: Given groups=1'),
        ('train_dataloader.dataset.length', None, 'train_dataloader.dataset.length of RoomsDataset must be'),
    ],
)
def test_the_place_in_the_config_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture, option: str, value: object, complaint: str
) -> None:
    small = {'train_dataloader.num_workers': 0, 'train_dataloader.persistent_workers': False, 'custom_hooks': []}
    with pytest.raises(SystemExit), exit_on_user_error():
        cfg = load_config(ROOMS, {**small, option: value}, purpose='train')
        cfg.work_dir = str(tmp_path / option)
        cfg.experiment_name = option
        build_runner(cfg).train()
    line = next(line for line in capsys.readouterr().err.splitlines() if line.startswith('error: '))
    assert complaint in line
    assert str(ROOMS) in line or 'max_epochs' in option


@pytest.mark.parametrize('text', ['model', '=1', 'model.neck=[1,(2]', 'a=(1'])
def test_options_of_another_form(text: str, capsys: pytest.CaptureFixture) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(['--cfg-options', text])
    assert caught.value.code == 2
    assert '--cfg-options: ' in capsys.readouterr().err
    assert parser.parse_args(['--cfg-options', 'a=1', 'b=[x,2]']).cfg_options == {'a': 1, 'b': ['x', 2]}


@pytest.mark.parametrize(('shape', 'complaint'), [(('0', '64'), '--shape must be'), (('40', '40'), 'feature_size=')])
def test_shapes_that_cannot_be_counted(shape: tuple[str, str], complaint: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        load_tool('analysis_tools/get_complexity').main([str(ROOMS), '--shape', *shape])
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ('image', 'complaint'),
    [
        (None, r'must be a path or RGB uint8 \(H, W, 3\), but is NoneType'),
        (np.zeros((0, 5, 3), np.uint8), r'must be RGB uint8 \(H, W, 3\), but is uint8 \(0, 5, 3\)'),
        (np.zeros((4, 5, 3)), r'but is float64 \(4, 5, 3\)'),
        (np.zeros((4, 5), np.uint8), r'but is uint8 \(4, 5\)'),
    ],
)
def test_what_an_inferencer_takes_for_an_image(image: object, complaint: str) -> None:
    inferencer = MTLInferencer.__new__(MTLInferencer)
    with pytest.raises(ValueError, match=complaint):
        inferencer.predict([image])  # type: ignore[list-item]
