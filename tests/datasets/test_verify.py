from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mtlbox.datasets.layouts import LAYOUTS
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.verify import KNOWN, verify
from mtlbox.tasks import Depth, Normals
from mtlbox.tasks.depth import INDOORS, OUTDOORS, likely_unit

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
    assert samples.pop('all', 5) == 5 and samples.pop('test_new', 1) == 1 and samples == {'train': 3, 'val': 2}
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
    assert (
        report.problems[0] == f'There is no file {root}/depth/train_0001.npy.'
        and 'edge/train_0002.png' in report.problems[1]
    )
    assert 'depth/val_0000.npy: the median depth is 0.01: these look like depths scaled to 0..1' in report.doubts[0]
    labelled = {name: seen.labelled for name, seen in report.splits['train'].labels.items()}
    assert labelled == {'semseg': 3, 'depth': 2, 'normals': 3, 'boundary': 2}
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
    assert report.layout is None and report.problems == [f'There is no folder {tmp_path}/nowhere.']
    report = verify('nyud', tmp_path, quiet=True)
    assert report.layout is None and len(report.problems) == 2 and 'gt_sets/train.txt' in report.problems[0]
    root = replica('nyud-a', tmp_path / 'a')
    wrong = verify('nyud-b', root, quiet=True)
    assert len(wrong.problems) == 3 and wrong.problems[2].endswith('looks like nyud-a')
    assert "is not in the layout 'nyud-b'; it fits nyud-a. It holds images: .jpg, seg" in wrong.problems[0]
    assert 'nothing' not in wrong.problems[0], 'folders that are not there are not told'
    assert 'Known are' not in wrong.problems[0], 'of which the next line would tell'
    with pytest.raises(ValueError, match=r"'nyud-d' cannot be verified.* Did you mean 'nyud"):
        verify('nyud-d', root)


def test_the_official_file_is_named(tmp_path: Path) -> None:
    (tmp_path / 'nyu_depth_v2_labeled.mat').write_bytes(b'MATLAB 7.3'.ljust(512) + b'\x89HDF\r\n\x1a\n' + bytes(64))
    report = verify('nyud', tmp_path, quiet=True)
    assert report.layout == 'official' and 'tools/data.py convert makes' in report.problems[-1]
    (tmp_path / 'nyu_depth_v2_labeled.mat').write_bytes(b'MATLAB 5.0'.ljust(600))
    assert verify('nyud', tmp_path, quiet=True).layout is None


def png(array: np.ndarray) -> bytes:
    return cv2.imencode('.png', array)[1].tobytes()


def npy(array: np.ndarray) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


MILLIMETRES = npy(np.full(SIZE, 3000, np.float32))
VECTORS = np.dstack([np.zeros(SIZE), np.zeros(SIZE), np.full(SIZE, -1)]).astype(np.float32)


@pytest.mark.parametrize(
    ('layout', 'file', 'content', 'said'),
    [
        ('nyud-c', 'segmentation/val_0000.png', png(np.full(SIZE, 41, np.uint8)), r'holds \[41\], but 1..40'),
        ('nyud-c', 'segmentation/val_0000.png', png(np.full((8, 9), 4, np.uint8)), 'is 8x9, but the image .* is 48x64'),
        ('nyud-c', 'depth/val_0000.npy', MILLIMETRES, 'the largest is 3000: these look like millimetres'),
        ('nyud-c', 'depth/val_0000.npy', npy(np.full(SIZE, 0.003, np.float32)), 'scaled to 0..1; 0.3 to 15 metres'),
        ('nyud-c', 'depth/val_0000.npy', npy(np.full(SIZE, np.nan, np.float32)), 'NaN'),
        ('nyud-c', 'depth/val_0000.npy', npy(np.ones(SIZE, np.float32))[:-9], 'is truncated'),
        ('nyud-c', 'depth/val_0000.npy', npy(np.full(SIZE, 3, np.uint16)), 'must be floats'),
        ('nyud-c', 'images/val_0000.png', png(np.zeros((*SIZE, 3), np.uint8))[:-40], 'damaged'),
        ('nyud-b', 'normals/val_0000.npy', npy(2 * VECTORS), 'largest component is 2'),
        ('nyuv2-13', 'val/normal/0.npy', npy(VECTORS / 3), 'not of unit length'),
        ('nyuv2-13', 'val/label/0.npy', npy(np.full(SIZE, 13, np.int8)), r'13'),
        ('nyuv2-13', 'val/depth/0.npy', MILLIMETRES, 'look like millimetres; 0.3 to 15 metres'),
        ('nyuv2-13', 'val/image/0.npy', npy(np.full((*SIZE, 3), 2, np.float32)), 'floats in 0..1'),
        ('cityscapes', 'val/depth/0.npy', npy(np.full((*SIZE, 1), 40, np.float32)), 'rescaled disparities'),
        ('pascal', 'semseg/VOC12/val_000001.png', png(np.full(SIZE, 21, np.uint8)), '21'),
    ],
)
def test_each_fault_is_found(tmp_path: Path, layout: str, file: str, content: bytes, said: str) -> None:
    root = replica(layout, tmp_path)
    assert (root / file).read_bytes()
    (root / file).write_bytes(content)
    report = verify(layout, root, quiet=True)
    found = report.problems + report.doubts
    assert len(found) == 1 and file in found[0] and re.search(said, found[0]), found


def test_what_says_nothing_is_doubted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = replica('nyud-c', tmp_path)
    for index in range(2):
        np.save(root / f'depth/val_{index:04d}.npy', np.zeros(SIZE, np.float32))
        (root / f'edge/val_{index:04d}.png').write_bytes(png(np.zeros(SIZE, np.uint8)))
    (root / 'segmentation/train_0000.png').write_bytes(png(np.zeros(SIZE, np.uint8)))  # one of several
    (root / 'images/train_0001.png').write_bytes(png(np.full((*SIZE, 3), (0, 0, 9), np.uint8)))
    with pytest.raises(SystemExit) as ended:
        run_tool('nyud', str(root), '--json')
    report = json.loads(capsys.readouterr().out)
    assert ended.value.code == 1 and not report['good'] and not report['problems']
    assert report['doubts'] == [
        f'{root}/images/train_0001.png: all pixels are [9, 0, 0]',
        "val: no pixel of 'depth' is labelled, in none of the 2 maps",
        "val: 'boundary' is 0 at every labelled pixel of 2 maps",
    ]


@pytest.mark.parametrize('layout', [name for name in LAYOUTS if 'normals' in LAYOUTS[name].tasks])
def test_the_other_axes_of_normals_are_doubted(tmp_path: Path, layout: str) -> None:
    root = replica(layout, tmp_path)
    cls, tasks, options = KNOWN[layout]
    dataset = cls(data_root=str(root), split='val', tasks={'normals': tasks['normals']}, **options)
    for index in range(len(dataset)):
        gt = dataset.load_sample(index)['gt']['normals']
        assert not Normals().doubt(gt) and 'away from the camera' in Normals().doubt(gt * [1, -1, -1])


def encoded(file: Path, array: np.ndarray, vectors: bool) -> bytes:
    """The bytes of a file like ``file`` that holds ``array``, vectors being in -1..1."""
    if file.suffix == '.npy':
        return npy(array)
    stored = np.rint(127 * array[..., ::-1] + 127).astype(np.uint8) if vectors else array
    return cv2.imencode(file.suffix, stored)[1].tobytes()


@pytest.mark.parametrize('layout', [name for name in LAYOUTS if 'normals' in LAYOUTS[name].tasks])
def test_vectors_of_another_length_are_counted(tmp_path: Path, layout: str) -> None:
    root = replica(layout, tmp_path)
    cls, tasks, options = KNOWN[layout]
    dataset = cls(data_root=str(root), split='val', tasks={'normals': tasks['normals']}, **options)
    file, good = Path(dataset.get_data_info(0)['label_paths']['normals']), verify(layout, root, quiet=True)
    before = good.splits['val'].labels['normals']
    assert before.looked == 2 and (before.flawed == 0 or file.suffix == '.jpg'), before
    assert f'{before.flawed:.1%} not of unit length' in str(good)
    if 'normal' not in str(file):  # they are computed
        return
    file.write_bytes(encoded(file, 0.4 * VECTORS, True))  # so short that reading takes them for unknown
    report = verify(layout, root, quiet=True)
    first, *others = report.doubts
    assert first == f'{file}: 100% of the vectors are not of unit length'
    assert all('test_new: no pixel' in doubt for doubt in others), 'it has this sample only'
    assert report.splits['val'].labels['normals'].flawed >= 0.5


@pytest.mark.parametrize(
    ('many', 'looks'),
    [
        (1000, 'the median depth is 2500: these look like millimetres'),
        (100, 'the median depth is 250: these look like centimetres'),
        (10, 'the median depth is 25: these look like no metres'),
        (0.05, 'the median depth is 0.125: these look like depths scaled to 0..1'),
        (1, ''),
    ],
)
def test_the_likely_unit_of_depths_is_named(tmp_path: Path, many: float, looks: str) -> None:
    root = replica('nyuv2-13', tmp_path)
    file = root / 'val/depth/0.npy'
    np.save(file, np.full((*SIZE, 1), 2.5 * many, np.float32))
    doubts = verify('nyuv2-13', root, quiet=True).doubts
    assert doubts == ([f'{file}: {looks}; 0.3 to 15 metres are expected'] if looks else [])


def test_streets_are_farther_than_rooms() -> None:
    depths = np.full((4, 5), 60, np.float32)
    assert not Depth().doubt(depths, usual=OUTDOORS) and 'centimetres' in Depth().doubt(depths, usual=INDOORS)
    assert likely_unit(2500, OUTDOORS) == 'centimetres' and likely_unit(2500, INDOORS) == 'millimetres'
    assert all('depth' in cls.METAINFO['usual'] for cls, tasks, _ in KNOWN.values() if 'depth' in tasks)


def test_samples_that_are_left_out_are_no_missing_pictures(tmp_path: Path) -> None:
    root = replica('synthia', tmp_path)
    tasks, few = {'depth': {'type': 'Depth'}}, {'depth': {'count': 1}}
    dataset = KNOWN['synthia'][0](
        data_root=str(root), split='train', tasks=tasks, labelled_only=few, drop_unlabelled=True
    )
    assert len(dataset) == 1


def test_pictures_that_are_missing_without_a_list_are_found_by_labels(tmp_path: Path) -> None:
    root = replica('synthia', tmp_path)
    (root / 'RGB/0000001.png').unlink()
    report = verify('synthia', root, quiet=True)
    assert report.splits['train'].samples == 2 and f'{root}/RGB/0000001.png is missing, though' in report.problems[0]
    assert len(report.problems) == 1 and report.splits['all'].samples == 4, 'said once, of both splits'
    cls, tasks, _ = KNOWN['synthia']
    with pytest.raises(FileNotFoundError, match=r'Missing, though there are labels of them: .*/RGB/0000001\.png\.'):
        cls(data_root=str(root), split='train', tasks=tasks)
    assert len(cls(data_root=str(root), split='train', tasks=tasks, check=False)) == 2


def test_a_subset_is_verified_where_there_are_any(tmp_path: Path) -> None:
    root = replica('taskonomy-domains', tmp_path)
    (root / 'train_val_test_tiny.csv').rename(root / 'train_val_test_full.csv')
    problems = verify('taskonomy', root, quiet=True).problems
    assert "There is one of subset='full'." in problems[0] and problems[-1].endswith('looks like taskonomy-domains')
    assert verify('taskonomy', root, subset='full', quiet=True).good
    with pytest.raises(ValueError, match=r"taskonomy has no subset 'ful'\. Did you mean 'full'"):
        verify('taskonomy', root, subset='ful')
    with pytest.raises(ValueError, match=r"synthia has no subset 'full'\. Subsets have: taskonomy"):
        verify('synthia', root, subset='full')


def test_pictures_of_two_sizes_are_doubted(tmp_path: Path) -> None:
    root = replica('nyud-b', tmp_path)
    picture = np.eye(24, 32, dtype=np.uint8)[..., None].repeat(3, 2)
    (root / 'images/train_0001.jpg').write_bytes(cv2.imencode('.jpg', 99 * picture)[1].tobytes())
    report = verify('nyud', root, quiet=True)
    first = f'{root}/segmentation/train_0001.png: the map is 48x64, its picture 24x32'
    assert report.doubts == [
        f'train: 4 maps are of another size, brought to that of their picture: {first}',
        'train: pictures of one size are expected, but there are 48x64 (2), 24x32 (1)',
    ]
    assert report.splits['train'].resampled == 4 and 'doubt: train: 4 maps' in str(report)


@pytest.mark.parametrize('layout', ['nyud-a', 'nyud-b'])
@pytest.mark.parametrize('size', [(64, 48), (1, 1), (8, 10), (40, 64), (480, 640)])
def test_a_map_that_is_not_its_picture_at_another_scale_is_refused(
    tmp_path: Path, layout: str, size: tuple[int, int]
) -> None:
    root = replica(layout, tmp_path)
    file = root / f'edge/val_0001{".png" if layout == "nyud-a" else ".npy"}'
    edges = np.zeros(size, np.uint8)
    file.write_bytes(png(edges) if file.suffix == '.png' else npy(edges))
    (problem,) = verify('nyud', root, quiet=True).problems
    assert str(file) in problem and f'map is {size[0]}x{size[1]}, its picture 48x64' in problem


def test_every_bad_label_of_a_sample_is_listed(tmp_path: Path) -> None:
    root = replica('nyud-c', tmp_path)
    for folder in ('segmentation', 'edge'):
        (root / folder / 'val_0001.png').write_bytes(b'no picture')
    problems = verify('nyud-c', root, quiet=True).problems
    assert ['segmentation' in problems[0], 'edge' in problems[1], len(problems)] == [True, True, 2]
    (root / 'images/val_0001.png').write_bytes(b'')
    assert len(verify('nyud-c', root, quiet=True).problems) == 1


def age(root: Path) -> None:
    """Let all files have changed a minute ago."""
    for path in root.rglob('*'):
        if path.is_file():
            os.utime(path, (time.time() - 60,) * 2)


def test_what_was_found_is_kept_until_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = replica('nyud-c', tmp_path / 'data')
    np.save(root / 'depth/val_0000.npy', np.full(SIZE, 0.01, np.float32))
    assert [split.kept for split in verify('nyud-c', root, quiet=True).splits.values()] == [0, 0]
    fresh = verify('nyud-c', root, quiet=True)  # what has only just changed is read again
    age(root)
    first, second = (verify('nyud-c', root, quiet=True) for _ in range(2))
    assert [split.kept for split in second.splits.values()] == [3, 2] and '3 read before' in str(second)
    assert first.doubts == second.doubts == fresh.doubts and len(first.doubts) == 1
    assert {name: split.labels for name, split in first.splits.items()} == {
        name: split.labels for name, split in second.splits.items()
    }
    moved = root.rename(root.with_name('moved'))
    assert verify('nyud-c', moved, quiet=True).doubts == [first.doubts[0].replace(str(root), str(moved))]
    moved.rename(root)
    np.save(root / 'depth/val_0000.npy', np.full(SIZE, 2, np.float32))
    os.utime(root / 'depth/val_0000.npy', (time.time() - 30,) * 2)
    third = verify('nyud-c', root, quiet=True)
    assert third.good and [split.kept for split in third.splits.values()] == [3, 1]
    (root / 'edge/train_0000.png').unlink()
    assert 'edge/train_0000.png' in verify('nyud-c', root, quiet=True).problems[0]
    assert verify('nyud-c', root, quiet=True, again=True).splits['val'].kept == 0
    monkeypatch.setattr('mtlbox.datasets.verdict._FORMAT', {'format': 0})
    assert verify('nyud-c', root, quiet=True).splits['val'].kept == 0


def test_what_is_kept_names_the_files_where_the_folder_is_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = replica('nyud-c', tmp_path / 'depth')  # as a folder in it is called
    (root / 'depth/val_0000.npy').write_bytes(b'')
    np.save(root / 'depth/val_0001.npy', np.full(SIZE, 0.01, np.float32))
    age(root)
    monkeypatch.chdir(tmp_path)
    verify('nyud-c', 'depth', quiet=True)
    new = root.rename(tmp_path / 'moved')
    for called in (str(new), 'moved', 'moved/'):
        report = verify('nyud-c', called, quiet=True)
        assert report.splits['val'].kept == 2
        (problem,), (doubt,) = report.problems, report.doubts
        at = called.rstrip('/')
        assert problem.startswith(f'{at}/depth/val_0000.npy'), problem
        assert doubt.startswith(f'{at}/depth/val_0001.npy'), doubt


def test_a_sample_of_two_splits_is_read_once(tmp_path: Path) -> None:
    root = replica('synthia', tmp_path)
    age(root)
    report = verify('synthia', root, quiet=True)
    assert {name: split.kept for name, split in report.splits.items()} == {'train': 0, 'val': 0, 'all': 5}
    again = verify('synthia', root, quiet=True, again=True)
    assert {name: split.kept for name, split in again.splits.items()} == {'train': 0, 'val': 0, 'all': 0}
    assert again.splits['all'].labels == report.splits['all'].labels


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    write_replica('nyud-c', tmp_path, counts={'train': 12, 'val': 2}, size=SIZE, quiet=True)
    age(tmp_path)
    program = (
        'import os, mtlbox.datasets.verify as v\n'
        'read, done = v._read_one, []\n'
        'def killed(job):\n'
        '    if len(done) == 7: os.kill(os.getpid(), 9)\n'
        '    done.append(job)\n'
        '    return read(job)\n'
        'v._read_one = killed\n'
        f'v.verify("nyud-c", {str(tmp_path)!r}, quiet=True)\n'
    )
    ended = subprocess.run([sys.executable, '-c', program], capture_output=True, check=False)
    assert ended.returncode == -9, ended.stderr
    (journal,) = (tmp_path / '.mtlbox').glob('verify-*.jsonl')
    with open(journal, 'a') as file:
        file.write('["train_0007", "0a')  # a line that was cut off
    report = verify('nyud-c', tmp_path, quiet=True)
    assert report.good and report.splits['train'].kept == 7 and report.splits['train'].samples == 12


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
        (Depth(), np.full((4, 5), 2000.0), 'the median depth is 2000: these look like millimetres; 0.1 to 150 metres'),
        (Depth(), np.full((4, 5), 3.0), ''),
        (Depth(), np.zeros((4, 5)), ''),
        (Normals(), np.zeros((4, 5, 3)), ''),
        (Normals(), np.full((4, 5, 3), -0.9), '100% of the vectors are not'),
        (Normals(), np.broadcast_to([0.0, 0, 1], (4, 5, 3)), 'away from the camera'),
        (Normals(), np.broadcast_to([0.0, 0, -1], (4, 5, 3)), ''),
    ],
)
def test_doubts(task: Any, gt: np.ndarray, doubt: str) -> None:
    said = task.doubt(gt.astype(np.float32))
    assert doubt in said and bool(said) == bool(doubt)


def test_labels_that_are_not_there_can_be_left_out(tmp_path: Path) -> None:
    root = replica('taskonomy-omnidata', tmp_path)
    shutil.rmtree(root / 'depth_euclidean')
    assert not verify('taskonomy', root, quiet=True).good
    there = ['semseg', 'depth', 'normals', 'edge']
    for _ in range(2):  # the second time from what was kept
        report = verify('taskonomy', root, labels=there, quiet=True)
        assert report.good and set(report.splits['val'].labels) == set(there), str(report)
    with pytest.raises(ValueError, match=r"taskonomy has no label 'dept'\. Did you mean 'depth'"):
        verify('taskonomy', root, labels=['dept'])


def test_a_file_of_the_system_and_a_folder_of_texts_change_nothing(tmp_path: Path) -> None:
    root = replica('cityscapes-raw', tmp_path)
    picture = next(root.glob('leftImg8bit/train/*/*.png'))
    (picture.parent / f'._{picture.name}').write_bytes(b'Mac OS X')
    first = root / 'leftImg8bit/train/aaa'
    first.mkdir()
    (first / 'license.txt').write_text('text')
    assert verify('cityscapes-raw', root, quiet=True).good


def test_names_that_are_not_text(tmp_path: Path) -> None:
    root = replica('synthia', tmp_path)
    for folder in ('RGB', 'GT/LABELS', 'Depth'):
        os.rename(root / folder / '0000000.png', os.fsencode(root / folder) + b'/000000\xff.png')
    report = verify('synthia', root, quiet=True)
    assert report.splits and not report.problems, str(report)
