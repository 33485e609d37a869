"""The loader is given files written by hand; those of 16 bits and three channels byte by byte."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mtlbox.datasets import Synthia
from mtlbox.datasets.class_names import CITYSCAPES_19_CLASSES, SYNTHIA_22_CLASSES
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.rooms import render_room

H, W = 10, 16
TASKS = {'semseg': {'type': 'SemSeg', 'num_classes': 22}, 'depth': {'type': 'Depth'}, 'normals': {'type': 'Normals'}}


def png_of_16_bits(picture: np.ndarray) -> bytes:
    """Return a PNG of RGB uint16 ``(H, W, 3)``, as the format's specification has it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    height, width = picture.shape[:2]
    rows = b''.join(b'\0' + row.astype('>u2').tobytes() for row in picture)
    head = chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 16, 2, 0, 0, 0))
    return b'\x89PNG\r\n\x1a\n' + head + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b'')


def write_by_hand(root: Path, *, copy: bool = False) -> None:
    """Images 8, 9 and 10: pedestrians (10), and void, lane marking (22) and terrain (16) above; 31.5 m, a hole."""
    classes = np.full((H, W), 10, np.uint16)
    classes[0, :3] = (0, 22, 16)
    labels = np.stack([classes, np.full((H, W), 300, np.uint16), np.zeros((H, W), np.uint16)], -1)
    depth = np.full((H, W), 3150, np.uint16)
    depth[0, 0] = 65535
    folders = ('RGB', 'Depth/Depth' if copy else 'Depth', 'GT/parsed_LABELS' if copy else 'GT/LABELS')
    for folder in folders:
        (root / folder).mkdir(parents=True)
    for number in (8, 9, 10):
        name = f'{number:07d}.png'
        Image.fromarray(np.full((H, W, 3), number, np.uint8)).save(root / 'RGB' / name)
        if copy:
            Image.fromarray(classes.astype(np.uint8)).save(root / folders[2] / name)
            (root / folders[1] / name).write_bytes(png_of_16_bits(np.repeat(depth[..., None], 3, 2)))
        else:
            (root / folders[2] / name).write_bytes(png_of_16_bits(labels))
            Image.fromarray(depth).save(root / folders[1] / name)


def build(root: Path, **kwargs: Any) -> Synthia:
    return Synthia(**{'data_root': str(root), 'split': 'train', 'tasks': TASKS, **kwargs})


@pytest.mark.parametrize('copy', [False, True])
def test_maps_mean_what_the_release_says(tmp_path: Path, copy: bool) -> None:
    write_by_hand(tmp_path, copy=copy)
    dataset = build(tmp_path)
    assert [dataset.load_sample(i)['img'][0, 0, 0] for i in range(len(dataset))] == [8, 10]
    gt = dataset.load_sample(1)['gt']
    named = [SYNTHIA_22_CLASSES[i] if i < 255 else None for i in gt['semseg'][0, :4]]
    assert named == [None, 'lane marking', 'terrain', 'pedestrian']
    assert gt['depth'][0, 0] == 0 and (gt['depth'][1:] == np.float32(31.5)).all() and gt['depth'].dtype == np.float32
    np.testing.assert_allclose(gt['normals'][5, 5], [0, 0, -1], atol=1e-6)


def test_splits(tmp_path: Path) -> None:
    write_by_hand(tmp_path)
    assert build(tmp_path, split='val').load_sample(0)['sample_id'] == '0000009'
    assert len(build(tmp_path, split='all')) == 3
    assert Synthia.METAINFO['sizes'] == {'train': 8460, 'val': 940, 'all': 9400}


def test_classes_of_cityscapes(tmp_path: Path) -> None:
    write_by_hand(tmp_path)
    tasks = {'semseg': {'type': 'SemSeg', 'num_classes': 19}}
    semseg = build(tmp_path, tasks=tasks, labels={'semseg': 'semseg_cityscapes'}).load_sample(0)['gt']['semseg']
    named = [CITYSCAPES_19_CLASSES[i] if i < 255 else None for i in semseg[0, :4]]
    assert named == [None, None, 'terrain', 'person']


@pytest.mark.parametrize(
    ('file', 'picture', 'message'),
    [
        ('GT/LABELS', np.full((H, W, 3), 23, np.uint16), r'holds \[23\], but only 1\.\.22 and 0 \(no class\)'),
        ('Depth', np.arange(H * W * 3).reshape(H, W, 3), 'one channel of 16 bits is expected, but it has three'),
    ],
)
def test_wrong_values_name_the_file(tmp_path: Path, file: str, picture: np.ndarray, message: str) -> None:
    write_by_hand(tmp_path)
    (tmp_path / file / '0000008.png').write_bytes(png_of_16_bits(picture))
    with pytest.raises(ValueError, match=rf'{file}/0000008\.png.* {message}'):
        build(tmp_path).load_sample(0)


def test_labels_cut_to_8_bits_are_refused(tmp_path: Path) -> None:
    write_by_hand(tmp_path)
    Image.fromarray(np.zeros((H, W, 3), np.uint8)).save(tmp_path / 'GT/LABELS/0000008.png')
    with pytest.raises(ValueError, match='three channels of 16 bits are expected'):
        build(tmp_path).load_sample(0)


def test_replica_round_trip(tmp_path: Path) -> None:
    write_replica('synthia', tmp_path, counts={'train': 10, 'val': 2}, size=(12, 16), quiet=True)
    assert sorted(p.stem for p in (tmp_path / 'RGB').iterdir()) == [f'{n:07d}' for n in (*range(11), 19)]
    dataset = build(tmp_path, split='val')
    sample, room = dataset.load_sample(1), render_room('val', 1, (12, 16))
    np.testing.assert_array_equal(sample['gt']['semseg'], room['semseg'])
    np.testing.assert_allclose(sample['gt']['depth'], room['depth'], atol=0.006)
    assert len(build(tmp_path)) == 10
