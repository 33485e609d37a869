from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mtlbox.datasets import NYUv2
from mtlbox.datasets.layouts import LAYOUTS, hashes, nyu_pictures, replica, writing
from mtlbox.datasets.layouts.arrays import SETS, convert
from mtlbox.datasets.layouts.mtan_nyuv2 import encode
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.layouts.writing import stream_jobs, write_files
from mtlbox.datasets.listed import ListedDataset
from mtlbox.datasets.rooms import render_room
from mtlbox.datasets.verify import KNOWN

TASKS = {'semseg': {'type': 'SemSeg', 'num_classes': 13}, 'depth': {'type': 'Depth'}, 'normals': {'type': 'Normals'}}
SIZE = (24, 32)
SHARED = Path(__file__).parents[2] / '../shared/data'


def files_of(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in root.rglob('*')
        if path.is_file()
    }


# -- reading ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def opened() -> Iterator[list[str]]:
    """The paths that are opened, whoever does it, from the time that the list is cleared."""
    paths: list[str] = []
    listening = True

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if listening and event == 'open' and isinstance(arguments[0], (str, bytes)):
            paths.append(os.fsdecode(arguments[0]))

    sys.addaudithook(note)  # cannot be taken away again
    yield paths
    listening = False


@pytest.mark.parametrize('name', LAYOUTS)
def test_each_file_of_a_sample_is_read_once(name: str, tmp_path: Path, opened: list[str]) -> None:
    layout = LAYOUTS[name]
    meta = layout.dataset.METAINFO
    mapped = {
        label: {'type': 'SemSeg', 'num_classes': len(meta['classes'][label])} for label in meta.get('label_maps', ())
    }
    roots = [(tmp_path / 'archive', layout.options)]
    write_replica(name, roots[0][0], counts={'train': 1, 'val': 1}, size=SIZE, quiet=True)
    if mapped and issubclass(layout.dataset, ListedDataset):
        arrays = f'{next(one for one in SETS.values() if KNOWN[one][0] is layout.dataset)}-arrays'
        convert(roots[0][0], tmp_path / 'arrays', dataset=arrays, quiet=True)
        roots.append((tmp_path / 'arrays', {'layout': 'arrays'}))
    for root, options in roots:
        tasks = {**layout.tasks, **mapped}
        dataset = layout.dataset(data_root=str(root), split='train', tasks=tasks, **options)
        files = dataset.files_of(dataset.get_data_info(0))
        opened.clear()
        assert 'decoded' not in dataset.load_sample(0)
        assert sorted(path for path in opened if path.startswith(str(root))) == sorted(set(files))


# -- replicas ---------------------------------------------------------------------------------------------------------


def test_replica_round_trip(tmp_path: Path) -> None:
    written = write_replica('nyuv2-13', tmp_path / 'r', counts={'train': 2, 'val': 1}, size=SIZE, quiet=True)
    assert written == {'train': 2, 'val': 1}
    for split, index in (('train', 0), ('train', 1), ('val', 0)):
        dataset = NYUv2(data_root=str(tmp_path / 'r'), split=split, tasks=TASKS)
        sample, room = dataset.load_sample(index), render_room(split, index, SIZE)
        np.testing.assert_allclose(sample['img'], room['image'], atol=1e-3)
        np.testing.assert_array_equal(sample['gt']['semseg'], room['semseg'])
        np.testing.assert_array_equal(sample['gt']['depth'], room['depth'])
        np.testing.assert_array_equal(
            sample['gt']['normals'], room['normals'] * (room['normals'].sum(-1) != 0)[..., None]
        )


def test_replica_is_in_the_layout(tmp_path: Path) -> None:
    write_replica('nyuv2-13', tmp_path, counts={'train': 1, 'val': 1}, size=SIZE, quiet=True)
    names = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob('*') if p.is_file()}
    folders = itertools.product(('train', 'val'), ('image', 'label', 'depth', 'normal'))
    assert names == {'replica.json', *(f'{split}/{folder}/0.npy' for split, folder in folders)}
    image = np.load(tmp_path / 'train/image/0.npy')
    assert image.shape == (*SIZE, 3) and image.dtype == np.float32 and 0 <= image.min() < image.max() <= 1
    assert np.load(tmp_path / 'train/depth/0.npy').shape == (*SIZE, 1)


def test_unlabelled_pixels_are_written_as_the_layout_says() -> None:
    arrays = encode(np.full((1, 2, 3), 255, dtype=np.uint8), np.array([[255, 12]], dtype=np.uint8))
    assert arrays['label/{index}'].tolist() == [[-1, 12]]
    assert arrays['image/{index}'].max() == 1
    assert not arrays['depth/{index}'].any() and arrays['depth/{index}'].shape == (1, 2, 1)
    assert not arrays['normal/{index}'].any() and arrays['normal/{index}'].shape == (1, 2, 3)
    assert (encode(np.zeros((1, 2, 3), dtype=np.uint8))['label/{index}'] == -1).all()


def test_replica_by_processes_is_the_same(tmp_path: Path) -> None:
    for name, workers in (('one', 1), ('two', 2)):
        write_replica(
            'nyuv2-13', tmp_path / name, counts={'train': 3, 'val': 2}, size=SIZE, workers=workers, quiet=True
        )
    one, two = (files_of(tmp_path / name) for name in ('one', 'two'))
    assert {k: v[1] for k, v in one.items()} == {k: v[1] for k, v in two.items()}


def _end_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_process_that_is_killed_is_one_message() -> None:
    with pytest.raises(ChildProcessError, match=r'process of 2 was killed.* fewer --workers .* goes on where it was'):
        writing.run_jobs(_end_at_three, range(8), workers=2, description='', quiet=True)


def test_replica_is_resumed(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {'counts': {'train': 3, 'val': 2}, 'size': SIZE, 'quiet': True}
    write_replica('nyuv2-13', tmp_path, **arguments)
    whole = files_of(tmp_path)
    (tmp_path / 'train/depth/1.npy').unlink()
    damaged = tmp_path / 'val/image/0.npy'
    damaged.write_bytes(damaged.read_bytes()[:-5])
    assert write_replica('nyuv2-13', tmp_path, **arguments) == {'train': 1, 'val': 1}
    again = files_of(tmp_path)
    assert {k: v[1] for k, v in again.items()} == {k: v[1] for k, v in whole.items()}
    assert again['train/depth/0.npy'] == whole['train/depth/0.npy']  # not written again
    assert write_replica('nyuv2-13', tmp_path, **arguments) == {'train': 0, 'val': 0}


def test_cut_off_replica_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop_at_two(split: str, index: int, size: tuple[int, int]) -> dict:
        if index == 2:
            raise KeyboardInterrupt
        return render_room(split, index, size)

    arguments: dict[str, Any] = {'counts': {'train': 4, 'val': 1}, 'size': SIZE, 'quiet': True}
    with monkeypatch.context() as patch:
        patch.setattr(replica, 'render_room', stop_at_two)
        with pytest.raises(KeyboardInterrupt):
            write_replica('nyuv2-13', tmp_path, **arguments)
    assert not list(tmp_path.rglob('*.part'))
    assert write_replica('nyuv2-13', tmp_path, **arguments) == {'train': 2, 'val': 1}


def test_replica_touches_nothing_of_others(tmp_path: Path) -> None:
    (tmp_path / 'train/image').mkdir(parents=True)
    (tmp_path / 'train/image/0.npy').write_bytes(b'precious')
    before = files_of(tmp_path)
    with pytest.raises(FileExistsError, match=r'was not written by this command \(it has no replica.json\)'):
        write_replica('nyuv2-13', tmp_path, counts={'train': 1, 'val': 1}, size=SIZE, quiet=True)
    assert files_of(tmp_path) == before
    with pytest.raises(FileExistsError):
        write_replica('nyuv2-13', tmp_path / 'train/image/0.npy', size=SIZE, quiet=True)


def test_replica_with_other_parameters_is_refused(tmp_path: Path) -> None:
    write_replica('nyuv2-13', tmp_path, counts={'train': 1, 'val': 1}, size=SIZE, quiet=True)
    before = files_of(tmp_path)
    with pytest.raises(FileExistsError, match=r'size \[24, 32\] there, \[12, 16\] now'):
        write_replica('nyuv2-13', tmp_path, counts={'train': 1, 'val': 1}, size=(12, 16), quiet=True)
    (tmp_path / 'replica.json').write_text('[]')
    with pytest.raises(FileExistsError, match='not a marker'):
        write_replica('nyuv2-13', tmp_path, counts={'train': 1, 'val': 1}, size=SIZE, quiet=True)
    assert files_of(tmp_path).keys() == before.keys()


@pytest.mark.parametrize('layout', ['pascal', 'nyuv2-13'])
def test_replica_needs_the_space_that_its_files_take(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments: dict[str, Any] = {'counts': {'train': 2, 'val': 1}, 'size': (60, 80), 'quiet': True}
    write_replica(layout, tmp_path / 'measured', **arguments)
    taken = sum(len(content) for _, content in files_of(tmp_path / 'measured').values())
    for share, fits in ((1.3, True), (0.7, False)):
        free = type('Usage', (), {'free': share * taken})
        monkeypatch.setattr(writing.shutil, 'disk_usage', lambda root, free=free: free)
        root = tmp_path / str(share)
        if fits:
            assert write_replica(layout, root, **arguments) == arguments['counts']
        else:
            with pytest.raises(OSError, match=rf'{root} needs [0-9.]+ [kM]B more, but its disk has [0-9.]+ [kM]B free'):
                write_replica(layout, root, **arguments)
            assert [path.name for path in root.iterdir()] == ['replica.json']


@pytest.mark.parametrize(
    ('file', 'content'),
    [
        ('a.png', np.zeros((4, 5), np.float32)),
        ('a.jpg', np.zeros((4, 5), np.uint16)),
        ('a.png', np.zeros((4, 5, 5), np.uint8)),
        ('a.png', np.zeros((0, 5), np.uint8)),
    ],
)
def test_what_is_no_picture_is_not_written(tmp_path: Path, file: str, content: np.ndarray) -> None:
    with pytest.raises(ValueError, match=rf'{file} cannot be written: {content.dtype} .* is no picture'):
        write_files(tmp_path, {file: content})
    assert not list(tmp_path.iterdir())


def test_replica_arguments(tmp_path: Path) -> None:
    assert LAYOUTS['nyuv2-13'].counts == {'train': 795, 'val': 654}
    assert LAYOUTS['nyuv2-13'].size == (288, 384)
    with pytest.raises(ValueError, match="Did you mean 'nyuv2-13'"):
        write_replica('nyuv2', tmp_path)
    with pytest.raises(ValueError, match='must be positive'):
        write_replica('nyuv2-13', tmp_path, counts={'train': 0})
    assert not list(tmp_path.iterdir())


# -- pictures, written here by hand -----------------------------------------------------------------------------------


def put(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture[..., ::-1] if picture.ndim == 3 else picture)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Images 2 and 14 (of the official test split) and 3 (train); only 2 has depth and normals."""
    folder = tmp_path / 'source'
    for name, red in (('0002', 51), ('0014', 102), ('0003', 204)):
        picture = np.zeros((10, 20, 3), dtype=np.uint8)
        picture[..., 0] = red
        put(folder / f'image/{name}.png', picture)
        classes = np.full((10, 20), 5, dtype=np.uint8)  # floor, counted from 1
        classes[:, 10:] = 0
        put(folder / f'semseg13/{name}.png', classes)
    depth = np.full((10, 20), 1500, dtype=np.uint16)
    depth[:, 10:] = 0
    put(folder / 'depth_mm/0002.png', depth)
    normals = np.full((10, 20, 3), 127, dtype=np.uint8)
    normals[:5] = (128, 0, 128)  # green is forward: a wall that faces the camera
    normals[7:] = (128, 128, 255)  # blue is up: a floor
    put(folder / 'normal_rgb/0002.png', normals)
    return folder


def test_convert_pictures(source: Path, tmp_path: Path) -> None:
    report = nyu_pictures.convert(source, tmp_path / 'out', size=(10, 20), quiet=True)
    assert report.names == {'val': ['0002', '0003', '0014']}
    assert report.missing == {'semseg13': [], 'depth_mm': ['0003', '0014'], 'normal_rgb': ['0003', '0014']}
    assert 'depth_mm: 1 of 3; none for 0003, 0014' in str(report)
    dataset = NYUv2(data_root=str(tmp_path / 'out'), split='val', tasks=TASKS)
    assert [dataset.get_data_info(i)['sample_id'] for i in range(3)] == ['0_0002', '1_0003', '2_0014']
    sample = dataset.load_sample(0)
    assert np.unique(sample['img'][..., 0]).round(3).tolist() == [51] and not sample['img'][..., 1:].any()
    semseg, depth, normals = (sample['gt'][key] for key in TASKS)
    assert (semseg[:, :10] == 4).all() and (semseg[:, 10:] == 255).all()
    np.testing.assert_allclose(depth[:, :10], 1.5)
    assert not depth[:, 10:].any()
    np.testing.assert_allclose(normals[0], np.broadcast_to([0, 0, -1], (20, 3)), atol=0.01)
    np.testing.assert_allclose(normals[9], np.broadcast_to([0, -1, 0], (20, 3)), atol=0.01)
    assert not normals[5:7].any()
    np.testing.assert_allclose(np.linalg.norm(normals[0], axis=-1), 1, atol=1e-6)
    assert list(dataset.load_sample(1)['gt']) == ['semseg']


def test_convert_scales(source: Path, tmp_path: Path) -> None:
    nyu_pictures.convert(source, tmp_path / 'out', size=(5, 10), quiet=True)
    gt = NYUv2(data_root=str(tmp_path / 'out'), split='val', tasks=TASKS).load_sample(0)['gt']
    assert {key: label.shape[:2] for key, label in gt.items()} == dict.fromkeys(TASKS, (5, 10))
    assert set(np.unique(gt['semseg'])) == {4, 255}
    assert set(np.unique(gt['depth'])) == {0, np.float32(1.5)}  # holes do not bleed, and metres stay metres
    length = np.linalg.norm(gt['normals'], axis=-1)
    np.testing.assert_allclose(length[length > 0], 1, atol=1e-6)
    assert (length[0] > 0).all()


def test_convert_by_the_official_splits(source: Path, tmp_path: Path) -> None:
    savemat = pytest.importorskip('scipy.io').savemat
    savemat(tmp_path / 'splits.mat', {'trainNdxs': [[3]], 'testNdxs': [[2], [14]]})
    report = nyu_pictures.convert(source, tmp_path / 'out', splits=tmp_path / 'splits.mat', size=(4, 8), quiet=True)
    assert report.names == {'train': ['0003'], 'val': ['0002', '0014']}
    assert np.load(tmp_path / 'out/train/image/0.npy')[0, 0, 0] == pytest.approx(204 / 255)
    assert json.loads((tmp_path / 'out/val/names.json').read_text()) == {'0': '0002', '1': '0014'}
    savemat(tmp_path / 'splits.mat', {'trainNdxs': [[3]], 'testNdxs': [[2]]})
    with pytest.raises(ValueError, match='does not know the images 0014'):
        nyu_pictures.convert(source, tmp_path / 'other', splits=tmp_path / 'splits.mat', quiet=True)


def test_convert_resumes_and_refuses(source: Path, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {'size': (4, 8), 'quiet': True}
    assert nyu_pictures.convert(source, tmp_path / 'out', **arguments).written == 3
    (tmp_path / 'out/val/label/1.npy').unlink()
    assert nyu_pictures.convert(source, tmp_path / 'out', **arguments).written == 1
    with pytest.raises(FileExistsError, match=r"split \{'val': '3 images, .* there, \{'train': '3 images"):
        nyu_pictures.convert(source, tmp_path / 'out', split='train', **arguments)
    with pytest.raises(FileExistsError, match=r'has no convert\.json'):
        nyu_pictures.convert(source, source, **arguments)


def test_convert_heeds_what_has_changed(source: Path, tmp_path: Path) -> None:
    arguments: dict[str, Any] = {'size': (4, 8), 'quiet': True}
    root = tmp_path / 'out'
    nyu_pictures.convert(source, root, **arguments)
    put(source / 'depth_mm/0003.png', np.full((10, 20), 2500, np.uint16))
    put(source / 'image/0014.png', np.full((10, 20, 3), 255, np.uint8))
    report = nyu_pictures.convert(source, root, **arguments)
    assert report.written == 2 and report.missing['depth_mm'] == ['0014']
    assert (np.load(root / 'val/depth/1.npy') == 2.5).all() and (np.load(root / 'val/image/2.npy') == 1).all()
    sums = [line.split('  ') for line in (root / hashes.HASHES).read_text().splitlines()]
    assert len(sums) == 14 and all(hashes._hash(root / name) == digest for digest, name in sums)
    (source / 'image/0014.png').rename(source / 'image/0015.png')
    with pytest.raises(FileExistsError, match=r"other parameters: split \{'val': '3 images, digest of their names"):
        nyu_pictures.convert(source, root, **arguments)
    assert json.loads((root / 'val/names.json').read_text())['2'] == '0014'


@pytest.mark.parametrize(
    ('file', 'picture', 'complaint'),
    [
        ('semseg13', np.full((10, 20), 40, dtype=np.uint8), r'values up to 40, but 0 \(unlabelled\) and 1..13'),
        ('semseg13', np.zeros((10, 21), dtype=np.uint8), r'semseg13/0002.png is 10x21, but .*image/0002.png is 10x20'),
        ('depth_mm', np.zeros((10, 20), dtype=np.uint8), r'must have 1 channel\(s\) of uint16'),
        ('image', np.zeros((10, 20), dtype=np.uint8), r'must have 3 channel\(s\) of uint8'),
    ],
)
def test_convert_names_the_bad_picture(
    source: Path, tmp_path: Path, file: str, picture: np.ndarray, complaint: str
) -> None:
    put(source / f'{file}/0002.png', picture)
    with pytest.raises(ValueError, match=complaint):
        nyu_pictures.convert(source, tmp_path / 'out', quiet=True)


def test_convert_names_the_damaged_picture(source: Path, tmp_path: Path) -> None:
    path = source / 'image/0014.png'
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(ValueError, match=f'{path} cannot be read as a picture'):
        nyu_pictures.convert(source, tmp_path / 'out', quiet=True)


def test_convert_without_pictures(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'There is no .*image/\*\.png\. The source must hold'):
        nyu_pictures.convert(tmp_path, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_axes() -> None:
    axes = nyu_pictures.Axes.parse(' r,-B,+G')
    assert axes == nyu_pictures.Axes((0, 2, 1), (1, -1, 1)) and str(axes) == 'R,-B,G'
    assert axes.read(np.array([[[0.1, 0.2, 0.3]]]))[0, 0] == pytest.approx([0.1, -0.3, 0.2])
    assert len({str(axes) for axes in nyu_pictures.Axes.every()}) == 48
    for wrong in ('R,G', 'R,G,G', 'x,y,z', 'RG,B'):
        with pytest.raises(ValueError, match=r"e\.g\. 'R,-B,G', but are"):
            nyu_pictures.Axes.parse(wrong)


def test_wrong_axes_are_noticed(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='point away from the camera'):
        nyu_pictures.convert(source, tmp_path / 'out', normal_axes='R,-G,B', quiet=True)


# -- real pictures ----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(
    not (SHARED / 'nyu_mini').is_dir(), reason='the folder with real NYU pictures is not on this machine'
)
def test_convert_real_pictures(tmp_path: Path) -> None:
    report = nyu_pictures.convert(
        SHARED / 'nyu_mini', tmp_path / 'out', splits=SHARED / 'nyu_meta/splits.mat', workers=2, quiet=True
    )
    assert {split: len(names) for split, names in report.names.items()} == {'val': 26}
    assert {kind: 26 - len(names) for kind, names in report.missing.items()} == {
        'semseg13': 26,
        'depth_mm': 11,
        'normal_rgb': 1,
    }
    dataset = NYUv2(data_root=str(tmp_path / 'out'), split='val', tasks=TASKS)
    samples = {dataset.get_data_info(i)['sample_id'].partition('_')[2]: dataset.load_sample(i) for i in range(26)}
    assert all(sample['img'].shape == (288, 384, 3) for sample in samples.values())
    billiards = samples['0433']['gt']
    known = billiards['normals'].any(-1)
    classes = dataset.metainfo['classes']['semseg']
    floor, wall = (known & (billiards['semseg'] == classes.index(name)) for name in ('floor', 'wall'))
    assert np.median(billiards['normals'][floor], axis=0)[1] < -0.9  # up
    assert np.median(billiards['normals'][wall], axis=0)[2] < -0.7  # towards the camera
    with pytest.raises(ValueError, match='The axes that fit this picture best are R,-B,G'):
        nyu_pictures.convert(SHARED / 'nyu_mini', tmp_path / 'other', normal_axes='R,-G,B', quiet=True)


@pytest.mark.parametrize('workers', [1, 2])
def test_jobs_are_taken_as_they_are_needed(workers: int) -> None:
    taken: list[int] = []
    jobs = (taken.append(number) or -number for number in range(500))
    results = stream_jobs(abs, jobs, count=500, workers=workers, description='', quiet=True)
    assert next(results) == 0 and len(taken) <= 8 * 4 * workers
    assert list(results) == list(range(1, 500))
