"""Each message that docs/troubleshooting.md quotes is one that users get."""

from __future__ import annotations

import importlib.util
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope

from mtlbox import compat
from mtlbox.apis import exit_on_user_error
from mtlbox.config import load_config
from mtlbox.datasets import NYUv2
from mtlbox.engine.checkpoint import load_weights
from mtlbox.engine.dist import init_dist
from mtlbox.engine.runner import MTLRunner
from mtlbox.models.layers import CrossTaskAffinity
from mtlbox.registry import BACKBONES, MODELS
from mtlbox.tasks import SemSeg

ROOT = Path(__file__).parents[2]
PAGE = ROOT / 'docs' / 'troubleshooting.md'
ROOMS, NYU = 'configs/ctal/ctal_hrnet18_rooms.py', 'configs/ctal/ctal_hrnet18_nyuv2-13.py'


def words(text: str) -> str:
    """Text without regard to line breaks."""
    return ' '.join(text.split())


def is_quoted(message: str) -> bool:
    """Whether a block of the page is ``message``, where ``...`` on the page stands for anything."""
    for block in re.findall(r'^```text\n(.*?)^```$', PAGE.read_text(), flags=re.MULTILINE | re.DOTALL):
        quoted = re.sub(r'^error: (CONFIG: [\w.]+: (\w+Error: )?)?', '', words(block))
        if re.fullmatch(re.escape(quoted).replace(re.escape('...'), '.+'), words(message)):
            return True
    return False


def options(**values: Any) -> Callable[[], Any]:
    return lambda: load_config(ROOMS, {key.replace('__', '.'): value for key, value in values.items()})


def appended(text: str) -> Callable[[], Any]:
    def load() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'exp.py')
            path.write_text(f"_base_ = '{ROOT / ROOMS}'\n{text}\n")
            load_config(path)

    return load


def too_few() -> None:
    loader = load_config(ROOMS, {'train_dataloader.dataset.length': 4, 'train_dataloader.batch_size': 64})
    init_default_scope('mtlbox')
    MTLRunner.build_dataloader(loader.train_dataloader)


def affinity(size: tuple[int, int]) -> CrossTaskAffinity:
    return CrossTaskAffinity(tasks=('semseg',), channels=4, feature_size=size)


def other_image_size() -> None:
    with torch.device('meta'):
        MODELS.build(load_config(ROOMS).model)(torch.empty(1, 3, 40, 40), mode='tensor')


def other_architecture() -> None:
    with torch.device('meta'):
        ctal, mtl = (MODELS.build(load_config(path).model) for path in (ROOMS, 'configs/mtl/mtl_hrnet18_rooms.py'))
        load_weights(mtl, ctal.state_dict(), 'epoch_1.pth')


def missing_data() -> None:
    NYUv2(data_root='data/nyuv2-13', split='train', tasks=load_config(NYU).tasks)


def label_out_of_range() -> None:
    SemSeg(num_classes=13).check(np.full((2, 2), 13), 'data/nyuv2-13/train/label/0.npy')


PROVOKED: dict[str, Callable[[], Any]] = {
    'no such config': lambda: load_config('configs/ctal/ctal_hrnet18_room.py'),
    'not registered': options(model__neck__type='CTLA'),
    'another role': options(model__neck__type='HRNet'),
    'unknown argument': options(model__neck__type='PyramidConcat'),
    'another type': options(model__neck__gamma='much'),
    'top level': appended('optimizer = dict(lr=1)'),
    'no labels': appended("train_dataloader = dict(dataset=dict(labels=['depth', 'normals']))"),
    'other tasks': appended(
        "tasks = dict(_delete_=True, depth=dict(type='Depth'))\nval_dataloader = dict(dataset=dict(tasks=tasks))"
    ),
    'too few': too_few,
    'new key': options(model__neck__gama=0.1),
    'helper variable': options(input_size=(64, 96)),
    'image size': other_image_size,
    'checkpoint size': lambda: load_weights(affinity((12, 16)), affinity((24, 32)).state_dict(), 'epoch_1.pth'),
    'another architecture': other_architecture,
    'missing data': missing_data,
    'label out of range': label_out_of_range,
    'launcher': lambda: init_dist('pytorch'),
    'workers': lambda: torch.utils.data.DataLoader([], num_workers=0, persistent_workers=True),
}


@pytest.mark.parametrize('case', PROVOKED)
def test_the_message_is_on_the_page(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv('RANK', raising=False)
    if case == 'missing data' and Path('data/nyuv2-13').exists():
        pytest.skip('the data is there')
    with pytest.raises(Exception) as caught:
        PROVOKED[case]()
    assert is_quoted(str(caught.value)), caught.value


@pytest.mark.skipif(importlib.util.find_spec('mmcv._ext') is not None, reason='mmcv has its compiled operators')
def test_compiled_operators() -> None:
    with pytest.raises(ImportError) as caught:
        BACKBONES.get('mmseg.HRNet')
    assert is_quoted(str(caught.value)), caught.value


def test_preflight() -> None:
    spec = importlib.util.spec_from_file_location('preflight', ROOT / 'tools' / 'preflight.py')
    assert spec and spec.loader
    preflight = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(preflight)
    page, source = PAGE.read_text(), (ROOT / 'tools' / 'preflight.py').read_text()
    clash = 'mmcv and mmcv-lite are both installed and share one folder; pip uninstall both, install one'
    assert clash in source and clash in words(page)
    for library, (debian, fedora) in preflight.LIBRARIES.items():
        assert library in page and debian in page and fedora in page


def test_torchvision() -> None:
    assert compat._NMS_MISSING in PAGE.read_text()


def test_traceback_variable(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv('MTLBOX_TRACEBACK', raising=False)
    with pytest.raises(SystemExit), exit_on_user_error():
        raise ValueError('what')
    hint = capsys.readouterr().err.splitlines()[-1]
    assert hint in PAGE.read_text()
    monkeypatch.setenv('MTLBOX_TRACEBACK', '1')
    with pytest.raises(ValueError), exit_on_user_error():
        raise ValueError('what')
