"""Damaged data files: an error that names the file, or a legal load."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from mtlbox.datasets import NYUD, CityscapesMTAN, MultiTaskDataset, NYUv2, PASCALContext, npy
from mtlbox.datasets.image_file import read_image
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.probe import probe

TASKS = {'semseg': {'type': 'SemSeg', 'num_classes': 13}, 'depth': {'type': 'Depth'}, 'normals': {'type': 'Normals'}}
ROUNDS = int(os.environ.get('MTLBOX_FUZZ', '16'))
FOLDERS = ('image', 'label', 'depth', 'normal')
CITYSCAPES_TASKS = {'semseg': {'type': 'SemSeg', 'num_classes': 19}, 'disparity': {'type': 'Disparity'}}


def flip(data: bytes, rng: np.random.Generator, upto: int) -> bytes:
    """``data`` with one bit of its first ``upto`` bytes flipped."""
    at = int(rng.integers(min(upto, len(data))))
    return data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :]


def flip_head(data: bytes, rng: np.random.Generator) -> bytes:
    return flip(data, rng, 128)


def flip_any(data: bytes, rng: np.random.Generator) -> bytes:
    return flip(data, rng, len(data))


def zero_block(data: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(data)))
    return data[:at] + bytes(min(64, len(data) - at)) + data[at + 64 :]


def truncate(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data)))]


DAMAGES: list[Callable[[bytes, np.random.Generator], bytes]] = [flip_head, flip_any, zero_block, truncate]


def name_of(damage: Callable) -> str:
    return damage.__name__


@pytest.fixture(scope='module')
def replica(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('data') / 'nyu'
    write_replica('nyuv2-13', root, counts={'train': 1, 'val': 1}, size=(16, 24), workers=1)
    return root


def load(root: Path, check: bool) -> dict:
    return NYUv2(data_root=str(root), split='train', tasks=TASKS, check=check).load_sample(0)


@pytest.mark.parametrize('damage', DAMAGES, ids=name_of)
@pytest.mark.parametrize('check', [True, False], ids=['checked', 'unchecked'])
def test_arrays(replica: Path, damage: Callable, check: bool) -> None:
    rng = np.random.default_rng(0)
    refused = 0
    for turn in range(ROUNDS):
        path = replica / 'train' / FOLDERS[turn % 4] / '0.npy'
        whole = path.read_bytes()
        try:
            path.write_bytes(damage(whole, rng))
            sample = load(replica, check)
            assert sample['img'].shape[:2] == sample['gt']['semseg'].shape == sample['gt']['depth'].shape
        except (ValueError, OSError) as error:
            assert str(path) in str(error), error
            refused += 1
        finally:
            path.write_bytes(whole)
    assert refused >= ROUNDS / 8 or damage in (flip_any, zero_block)
    load(replica, check)


@pytest.mark.parametrize('folder', ['image', 'label_19', 'depth'])
def test_arrays_of_cityscapes(tmp_path: Path, folder: str) -> None:
    write_replica('cityscapes', tmp_path, counts={'train': 1, 'val': 1}, size=(16, 24), workers=1)
    path = tmp_path / 'train' / folder / '0.npy'
    whole, rng = path.read_bytes(), np.random.default_rng(2)
    for damage in (flip_head, truncate, truncate):
        path.write_bytes(damage(whole, rng))
        with pytest.raises((ValueError, OSError)) as caught:
            CityscapesMTAN(data_root=str(tmp_path), split='train', tasks=CITYSCAPES_TASKS).load_sample(0)
        assert str(path) in str(caught.value)


ARCHIVES = {
    'nyud-a': (NYUD, {**TASKS, 'semseg': {'type': 'SemSeg', 'num_classes': 40}, 'boundary': {'type': 'Boundary'}}),
    'pascal': (PASCALContext, {'human_parts': {'type': 'HumanParts'}, 'boundary': {'type': 'Boundary'}}),
}


@pytest.mark.parametrize('layout', ARCHIVES)
@pytest.mark.parametrize('damage', DAMAGES, ids=name_of)
def test_archives(tmp_path: Path, layout: str, damage: Callable) -> None:
    write_replica(layout, tmp_path, counts={'train': 1, 'val': 1}, size=(16, 24), workers=1)
    cls, tasks = ARCHIVES[layout]
    files = sorted(path for path in tmp_path.rglob('train_0*') if path.is_file())
    read = [path for path in files if cls is NYUD or path.parts[-2] in ('JPEGImages', 'human_parts', 'trainval')]
    rng, refused = np.random.default_rng(3), 0
    assert len(read) == (5 if cls is NYUD else 3)
    for turn in range(ROUNDS):
        path = read[turn % len(read)]
        whole = path.read_bytes()
        try:
            path.write_bytes(damage(whole, rng))
            cls(data_root=str(tmp_path), split='train', tasks=tasks).load_sample(0)
        except (ValueError, OSError) as error:
            assert str(path) in str(error), error
            refused += 1
        finally:
            path.write_bytes(whole)
    assert refused == ROUNDS or damage is not truncate


@pytest.mark.parametrize('folder', FOLDERS)
@pytest.mark.parametrize('kind', ['i8', 'c16', 'S4', 'M8[s]', '?', 'O', [('a', 'f4')]])
def test_arrays_of_another_type(replica: Path, folder: str, kind: object) -> None:
    path = replica / 'train' / folder / '0.npy'
    whole = path.read_bytes()
    array = np.zeros(np.load(path).shape, dtype=kind)  # type: ignore[call-overload]
    try:
        np.save(path, array, allow_pickle=True)
        if folder == 'label' and kind == 'i8':
            assert not load(replica, True)['gt']['semseg'].any()  # zeros are legal classes
            return
        with pytest.raises(ValueError) as caught:
            load(replica, True)
        assert str(path) in str(caught.value)
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize('damage', DAMAGES, ids=name_of)
@pytest.mark.parametrize('suffix', ['.png', '.jpg', '.bmp', '.tiff', '.webp', '.ppm'])
def test_pictures(tmp_path: Path, suffix: str, damage: Callable) -> None:
    path, rng = tmp_path / f'a{suffix}', np.random.default_rng(1)
    cv2.imwrite(str(path), rng.integers(0, 255, (12, 16, 3), dtype=np.uint8))
    whole = path.read_bytes()
    for _ in range(ROUNDS):
        path.write_bytes(damage(whole, rng))
        try:
            image = read_image(path)
            assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
        except ValueError as error:
            assert str(path) in str(error), error


def test_pictures_that_are_none(tmp_path: Path) -> None:
    (tmp_path / 'empty.png').write_bytes(b'')
    with pytest.raises(ValueError, match=r'empty\.png is empty \(0 bytes\)'):
        read_image(tmp_path / 'empty.png')
    cv2.imwrite(str(tmp_path / 'deep.png'), np.full((4, 4), 1000, np.uint16))
    with pytest.raises(ValueError, match=r"deep\.png has pixels of the mode 'I;16', but 8 bits"):
        read_image(tmp_path / 'deep.png')


def test_probe_of_files_by_any_name(tmp_path: Path) -> None:
    picture = np.full((4, 6, 3), 90, np.uint8)
    for suffix in ('.jpeg', '.JPG', '.tif'):
        path = tmp_path / f'a{suffix}'
        with pytest.raises(FileNotFoundError, match=f'a{suffix}'):
            probe(path)
        path.write_bytes(b'')
        with pytest.raises(ValueError, match=rf'a{suffix} is empty'):
            probe(path)
        assert cv2.imwrite(str(path), picture)
        assert probe(path) is None
        path.write_bytes(path.read_bytes()[:-9])
        if suffix == '.tif':  # of which no more is known
            assert probe(path) is None
        else:
            with pytest.raises(ValueError, match=rf'a{suffix} is truncated'):
                probe(path)


class Files(MultiTaskDataset):
    """One image with a map of another size, and a reader that may fail."""

    METAINFO = {'labels': ('depth',)}  # noqa: RUF012
    fault: Exception | None = None

    def load_data_list(self) -> list[dict]:
        return [{'sample_id': 'one', 'img_path': 'image/one.png', 'label_paths': {'depth': 'depth/one.npy'}}]

    def load_image(self, info: dict) -> np.ndarray:
        return np.zeros((4, 6, 3), np.uint8)

    def load_label(self, info: dict, name: str) -> np.ndarray:
        if self.fault is not None:
            raise self.fault
        return np.zeros((4, 7), np.float32)


def test_sizes_that_differ_name_both_files() -> None:
    message = r"sample one: the map of 'depth' \(depth/one\.npy\) is 4x7, but the image \(image/one\.png\) is 4x6"
    with pytest.raises(ValueError, match=message):
        Files(tasks={'depth': {'type': 'Depth'}})[0]


@pytest.mark.parametrize('fault', [KeyError('x'), ValueError('bad'), RuntimeError('worse'), IndexError('out')])
def test_whatever_a_reader_raises_names_the_file(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Files, 'fault', fault)
    with pytest.raises(ValueError, match=r"Files\(split='train'\), sample one: depth/one\.npy: ") as caught:
        Files(tasks={'depth': {'type': 'Depth'}})[0]
    assert str(fault.args[0]) in str(caught.value)


def test_a_transform_that_fails_names_the_sample() -> None:
    dataset = type('Good', (Files,), {'load_label': lambda self, info, name: np.zeros((4, 6), np.float32)})(
        tasks={'depth': {'type': 'Depth'}}, pipeline=[lambda sample: sample['nothing']]
    )
    with pytest.raises(ValueError, match=r"Good\(split='train'\), sample 0: KeyError: 'nothing'"):
        dataset[0]


def test_a_written_file_is_whole_or_not_there(tmp_path: Path) -> None:
    npy.save(tmp_path / 'a.npy', np.arange(3))

    def fail(file: object) -> None:
        raise RuntimeError('no space')

    with pytest.raises(RuntimeError, match='no space'):
        npy.write_whole(tmp_path / 'a.npy', fail)
    assert npy.load(tmp_path / 'a.npy').tolist() == [0, 1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ['a.npy']
