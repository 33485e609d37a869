from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtlbox.datasets.layouts import LAYOUTS
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.verify import KNOWN, verify
from mtlbox.tasks import Depth, Normals

SIZE = (48, 64)
TOOL = Path(__file__).parents[2] / 'tools/data.py'


def run_tool(*arguments: str) -> None:
    spec = importlib.util.spec_from_file_location('tool_data', TOOL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(['verify', *arguments, '--workers', '1'])


def replica(layout: str, root: Path) -> Path:
    write_replica(layout, root, counts={'train': 3, 'val': 2}, size=SIZE, quiet=True)
    return root


@pytest.mark.parametrize('layout', LAYOUTS)
def test_a_replica_is_good(tmp_path: Path, layout: str) -> None:
    report = verify(layout, replica(layout, tmp_path), quiet=True)
    assert report.good and report.replica and report.layout == layout, str(report)
    samples = {name: split.samples for name, split in report.splits.items()}
    assert samples.pop('all', 5) == 5 and samples == {'train': 3, 'val': 2}
    assert set(report.splits['val'].labels) == set(KNOWN[layout][1])
    for split in report.splits.values():
        assert split.sizes == {'48x64': split.samples}
        for name, seen in split.labels.items():
            assert seen.labelled == split.samples or name == 'human_parts'
    assert (str(report).endswith('good') and 'published: 795' in str(report)) or not layout.startswith('nyu')


def test_what_is_wrong_is_listed(tmp_path: Path) -> None:
    root = replica('nyud-c', tmp_path)
    (root / 'depth/train_0001.npy').unlink()
    (root / 'edge/train_0002.png').write_bytes(b'')
    np.save(root / 'depth/val_0000.npy', np.full(SIZE, 0.01, np.float32))
    report = verify('nyud', root, workers=2, quiet=True)
    assert report.layout == 'nyud-c' and not report.good
    assert len(report.problems) == 2 and len(report.doubts) == 1
    assert 'depth/train_0001.npy' in report.problems[0] and 'edge/train_0002.png' in report.problems[1]
    assert 'depth/val_0000.npy: no depth is above 0.01, which does not look like metres' in report.doubts[0]
    assert report.splits['train'].labels['semseg'].labelled == 1
    assert '2 problems, 1 doubts' in str(report)


def test_missing_arrays_of_mtan_are_listed_one_by_one(tmp_path: Path) -> None:
    root = replica('nyuv2-13', tmp_path)
    (root / 'train/label/1.npy').unlink()
    normals = np.load(root / 'val/normal/0.npy')
    np.save(root / 'val/normal/0.npy', normals / 2)
    report = verify('nyuv2-13', root, quiet=True)
    assert len(report.problems) == 1 and 'train/label/1.npy' in report.problems[0]
    assert report.doubts == [f'{root}/val/normal/0.npy: 100% of the vectors are not of unit length']


@pytest.mark.parametrize(
    ('layout', 'files'),
    [
        ('nyuv2-13', ('train/image/1.npy', 'train/label/2.npy')),
        ('nyud-b', ('images/train_0001.jpg', 'segmentation/train_0002.png')),
    ],
)
@pytest.mark.parametrize('check', [True, False])
def test_files_may_be_missing_until_they_are_read(
    tmp_path: Path, layout: str, files: tuple[str, str], check: bool
) -> None:
    root = replica(layout, tmp_path)
    for file in files:
        (root / file).unlink()
    cls, tasks, options = KNOWN[layout]
    arguments = {'data_root': str(root), 'split': 'train', 'tasks': tasks, 'check': check, **options}
    with pytest.raises(FileNotFoundError, match=f'Missing: .*{files[0]}'):
        len(cls(**arguments))
    dataset = cls(**arguments, allow_missing=True)
    assert len(dataset) == 3 and set(dataset.load_sample(0)['gt']) == set(tasks)
    for index, file in enumerate(files, 1):
        with pytest.raises(FileNotFoundError, match=file):
            dataset.load_sample(index)


def test_part_of_a_data_set_is_doubted(tmp_path: Path) -> None:
    root = replica('nyud-b', tmp_path)
    (root / 'replica.json').unlink()
    doubts = verify('nyud', root, quiet=True).doubts
    assert doubts == [
        'train: 3 samples, but the published split has 795',
        'val: 2 samples, but the published split has 654',
    ]


def test_what_cannot_be_told(tmp_path: Path) -> None:
    report = verify('nyud', tmp_path / 'nowhere', quiet=True)
    assert report.layout is None and len(report.problems) == 2 and 'gt_sets/train.txt' in report.problems[0]
    root = replica('nyud-a', tmp_path / 'a')
    wrong = verify('nyud-b', root, quiet=True)
    assert len(wrong.problems) == 2 and "is not in the layout 'nyud-b'; it fits nyud-a" in wrong.problems[0]
    with pytest.raises(ValueError, match=r"'nyud-d' cannot be verified.* Did you mean 'nyud"):
        verify('nyud-d', root)


def test_tool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = replica('pascal', tmp_path)
    run_tool('pascal', str(root))
    assert capsys.readouterr().out.rstrip().endswith('good')
    (root / 'human_parts/val_000001.mat').write_bytes(b'damaged' * 40)
    with pytest.raises(SystemExit) as caught:
        run_tool('pascal', str(root), '--json')
    assert caught.value.code == 1
    said = json.loads(capsys.readouterr().out)
    assert said['good'] is False and 'human_parts/val_000001.mat' in said['problems'][0]
    assert said['splits']['train']['labels']['boundary']['high'] == 1


@pytest.mark.parametrize(
    ('task', 'gt', 'doubt'),
    [
        (Depth(), np.full((4, 5), 2000.0), 'centimetres or millimetres'),
        (Depth(), np.full((4, 5), 3.0), ''),
        (Depth(), np.zeros((4, 5)), ''),
        (Normals(), np.zeros((4, 5, 3)), ''),
        (Normals(), np.full((4, 5, 3), 0.9), '100% of the vectors'),
    ],
)
def test_doubts(task: Any, gt: np.ndarray, doubt: str) -> None:
    said = task.doubt(gt.astype(np.float32))
    assert doubt in said and bool(said) == bool(doubt)
