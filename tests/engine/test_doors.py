"""A hostile pickle is tried at every door through which a checkpoint enters; it never gets to run."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import load_checkpoint
from torch import nn

from mtlbox.apis import MTLInferencer
from mtlbox.config import load_config
from mtlbox.engine import build_runner
from mtlbox.engine.checkpoint import CheckpointError
from mtlbox.engine.pretrained import guard_mmengine
from mtlbox.engine.resume import find_checkpoint
from mtlbox.registry import MODELS

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs/mtl/mtl_hrnet18_rooms.py')


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f'touch {self.path}',)


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    return tmp_path / 'executed'


@pytest.fixture
def evil(tmp_path: Path, witness: Path) -> Path:
    path = tmp_path / 'run' / 'epoch_1.pth'
    path.parent.mkdir()
    torch.save({'state_dict': {'w': torch.ones(1)}, 'meta': {'x': Payload(witness)}, 'optimizer': {}}, path)
    return path


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / 'tools' / f'{name}.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_payload_works_where_it_is_let(evil: Path, witness: Path) -> None:
    torch.load(evil, weights_only=False)
    assert witness.exists()


@pytest.mark.parametrize('form', ['auto', 'path', 'load_from'])
def test_runner(evil: Path, witness: Path, form: str) -> None:
    cfg = load_config(CONFIG)
    cfg.work_dir = str(evil.parent)
    cfg.resume = form != 'load_from'
    cfg.load_from = None if form == 'auto' else str(evil)
    cfg.model.backbone.arch = 'w18-small-v1'
    runner = build_runner(cfg)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    with pytest.raises(CheckpointError, match=r'epoch_1\.pth'):
        runner.load_or_resume()
    assert not witness.exists()


def test_search_for_the_last_checkpoint(evil: Path, witness: Path) -> None:
    told: list[str] = []
    with pytest.raises(CheckpointError, match=r'None of the checkpoints in .*run can be resumed from \(epoch_1\.pth\)'):
        find_checkpoint(evil.parent, told.append)
    assert 'is refused: it holds more than tensors' in told[0]
    assert not witness.exists()


@pytest.mark.parametrize('prefix', [None, 'backbone'])
def test_init_cfg(evil: Path, witness: Path, prefix: str | None) -> None:
    init_default_scope('mtlbox')
    init_cfg = dict(type='Pretrained', checkpoint=str(evil), prefix=prefix)
    backbone = MODELS.build(dict(type='HRNet', arch='w18-small-v1', init_cfg=init_cfg))
    with pytest.raises(CheckpointError, match='is refused'):
        backbone.init_weights()
    assert not witness.exists()


def test_init_cfg_of_another_package(evil: Path, witness: Path) -> None:
    init_default_scope('mtlbox')
    init_cfg = dict(type='Pretrained', checkpoint=str(evil))
    backbone = MODELS.build(dict(type='mmpretrain.MobileNetV2', widen_factor=0.25, init_cfg=init_cfg))
    with pytest.raises(CheckpointError, match='is refused'):
        backbone.init_weights()
    assert not witness.exists()


def test_functions_of_mmengine_that_other_packages_call(evil: Path, witness: Path) -> None:
    guard_mmengine()
    with pytest.raises(CheckpointError, match='is refused'):
        load_checkpoint(nn.Linear(1, 1), str(evil))
    assert not witness.exists()


def test_inferencer(evil: Path, witness: Path) -> None:
    with pytest.raises(CheckpointError, match='is refused'):
        MTLInferencer(CONFIG, evil)
    assert not witness.exists()


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [
        ('train', [CONFIG, '--resume', '{evil}', '--work-dir', '{folder}']),
        ('train', [CONFIG, '--resume', '--work-dir', '{run}']),
        ('test', [CONFIG, '{evil}', '--work-dir', '{folder}']),
        ('infer', [CONFIG, '{evil}', '{folder}', '--out', '{folder}/out']),
        ('publish_model', ['{evil}', '--out', '{folder}/out']),
    ],
)
def test_tools(
    evil: Path, witness: Path, tmp_path: Path, name: str, arguments: list[str], capsys: pytest.CaptureFixture
) -> None:
    folder = tmp_path / 'other'
    folder.mkdir()
    cv2.imwrite(str(folder / 'a.png'), np.zeros((8, 8, 3), dtype=np.uint8))
    with pytest.raises(SystemExit) as caught:
        tool(name).main([word.format(evil=evil, folder=folder, run=evil.parent) for word in arguments])
    assert caught.value.code == 2
    error = capsys.readouterr().err.strip().split('\n')[-2]
    assert error.startswith('error: ') and 'epoch_1.pth' in error
    assert not witness.exists()
