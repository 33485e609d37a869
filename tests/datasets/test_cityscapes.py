"""The loader is given files written by hand from the description of the release, not by the project's own writer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mtlbox.datasets import Cityscapes
from mtlbox.datasets.cityscapes import PALETTE, TRAIN_IDS
from mtlbox.datasets.class_names import CITYSCAPES_19_CLASSES
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.rooms import render_room

H, W = 12, 24
BASELINE, FX = 0.209313, 2262.52
TASKS = {
    'semseg': {'type': 'SemSeg', 'num_classes': 19},
    'disparity': {'type': 'Disparity'},
    'depth': {'type': 'Depth'},
    'normals': {'type': 'Normals'},
}
NAMES = {'train': ['ulm/ulm_000001_000019', 'aachen/aachen_000003_000019'], 'val': ['lindau/lindau_000000_000019']}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Red; labelIds 26 (car), 10 and 29 (ignored), 33, 7; p is 0, 1, 257 and 25601: unknown, 0, 1 and 100 pixels."""
    labels = np.full((H, W), 26, np.uint8)
    labels[0, :4] = (10, 29, 33, 7)
    stored = np.full((H, W), 25601, np.uint16)
    stored[0, :3] = (0, 1, 257)
    camera = {
        'extrinsic': {'baseline': BASELINE, 'pitch': 0.038, 'roll': 0, 'x': 1.7, 'y': 0.1, 'yaw': 0, 'z': 1.22},
        'intrinsic': {'fx': FX, 'fy': 2265.3, 'u0': 1096.98, 'v0': 513.137},
    }
    red = np.zeros((H, W, 3), np.uint8)
    red[..., 0] = 200
    for split, names in NAMES.items():
        for name in names:
            for folder, end, picture in (
                ('leftImg8bit', 'leftImg8bit.png', red),
                ('gtFine', 'gtFine_labelIds.png', labels),
                ('gtFine', 'gtFine_instanceIds.png', labels.astype(np.uint16) * 1000),
                ('disparity', 'disparity.png', stored),
            ):
                path = tmp_path / folder / split / f'{name}_{end}'
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture).save(path)
            path = tmp_path / 'camera' / split / f'{name}_camera.json'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(camera))
    return tmp_path


def build(root: Path, **kwargs: Any) -> Cityscapes:
    return Cityscapes(**{'data_root': str(root), 'split': 'train', 'tasks': TASKS, **kwargs})


def test_maps_mean_what_the_release_says(root: Path) -> None:
    dataset = build(root)
    assert len(dataset) == 2 and dataset.metainfo['layout'] == 'cityscapes-raw'
    assert dataset.metainfo['origin']['of'] == 2975
    assert [dataset.get_data_info(i)['sample_id'] for i in range(2)] == sorted(NAMES['train'])  # aachen first
    sample = dataset.load_sample(1)
    assert sample['img'].dtype == np.uint8 and sample['img'][3, 3].tolist() == [200, 0, 0]
    gt = sample['gt']
    assert gt['semseg'][0, :5].tolist() == [255, 255, 18, 0, 13] and gt['semseg'].dtype == np.uint8
    np.testing.assert_allclose(gt['disparity'][0, :4], [0, 0, 256 / 65535, 25600 / 65535], rtol=1e-6)
    np.testing.assert_allclose(gt['depth'][0, :4], [0, 0, BASELINE * FX, BASELINE * FX / 100], rtol=1e-6)
    assert gt['depth'].dtype == gt['disparity'].dtype == gt['normals'].dtype == np.float32


def test_normals_of_a_wall_face_the_camera(root: Path) -> None:
    normals = build(root).load_sample(0)['gt']['normals']
    np.testing.assert_allclose(normals[6, 12], [0, 0, -1], atol=1e-5)
    assert not normals[0].any() and not normals[:, 0].any()  # the window leaves the image


def test_normals_of_a_floor_point_up(root: Path) -> None:
    """The ground 1.2 m below the camera, in pictures reduced to 192x384: the camera is that of the full size."""
    size = (192, 384)
    horizon = (513.137 + 0.5) * size[0] / 1024 - 0.5
    below = np.maximum(np.arange(size[0]) - horizon, 0)
    pixels = BASELINE * FX * below / (1.2 * 2265.3 * size[0] / 1024)  # inverse depth grows with the row
    stored = np.where(below > 0, np.rint(pixels * 256) + 1, 0).astype(np.uint16)
    name = NAMES['val'][0]
    Image.fromarray(np.repeat(stored[:, None], size[1], 1)).save(root / 'disparity/val' / f'{name}_disparity.png')
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(root / 'leftImg8bit/val' / f'{name}_leftImg8bit.png')
    tasks = {key: TASKS[key] for key in ('depth', 'normals')}
    gt = build(root, split='val', tasks=tasks).load_sample(0)['gt']
    np.testing.assert_allclose(gt['depth'][-1], 1.2 * 2265.3 * size[0] / 1024 / below[-1], rtol=2e-3)
    known = gt['normals'][gt['normals'].any(-1)]
    assert len(known) > 20 * size[1]  # farther away, 7 rows span more than 10 % of the depth
    np.testing.assert_allclose(known, np.broadcast_to([0, -1, 0], known.shape), atol=0.02)


def test_splits_and_tasks_ask_only_for_their_files(root: Path) -> None:
    assert len(build(root, split='val')) == 1
    for path in (root / 'camera').rglob('*.json'):
        path.unlink()
    assert set(build(root, tasks={'disparity': {'type': 'Disparity'}}).load_sample(0)['gt']) == {'disparity'}
    with pytest.raises(FileNotFoundError, match=r'Missing: .*camera/train/aachen/aachen_000003_000019_camera\.json'):
        build(root)


def test_disparity_is_no_depth(root: Path) -> None:
    with pytest.raises(ValueError, match="'disparity' of Cityscapes has the unit 'of full scale'"):
        build(root, tasks={'depth': {'type': 'Depth'}}, labels={'depth': 'disparity'})
    with pytest.raises(ValueError, match="'depth' of Cityscapes has the unit 'm'"):
        build(root, tasks={'disparity': {'type': 'Disparity'}}, labels={'disparity': 'depth'})


@pytest.mark.parametrize(
    ('kind', 'content', 'message'),
    [
        ('gtFine', np.full((H, W), 40, np.uint8), r'labelIds\.png holds \[40\], but the labelIds 0\.\.33'),
        ('gtFine', np.full((H, W, 3), 7, np.uint8), r"labelIds\.png has pixels of the mode 'RGB'"),
        ('disparity', np.full((H, W), 9, np.uint8), r'disparity\.png: one channel of 16 bits is expected'),
        ('disparity', np.full((H, W + 1), 9, np.uint16), r'disparity\.png is 12x25, but .*leftImg8bit\.png is 12x24'),
        ('camera', '{"extrinsic": {}, "intrinsic": {}}', r'camera\.json does not describe a camera .*KeyError'),
        ('camera', '{"extrinsic"', r'camera\.json does not describe a camera .*JSONDecodeError'),
        ('camera', '', r'camera\.json is empty'),
        (
            'camera',
            '{"extrinsic": {"baseline": 0}, "intrinsic": {"fx": 1, "fy": 1, "u0": 1, "v0": 1}}',
            'must be positive',
        ),
    ],
)
def test_wrong_files_are_named(root: Path, kind: str, content: Any, message: str) -> None:
    end = {'gtFine': 'gtFine_labelIds.png', 'disparity': 'disparity.png', 'camera': 'camera.json'}[kind]
    path = root / kind / 'train' / f'{NAMES["train"][1]}_{end}'
    if isinstance(content, str):
        path.write_text(content)
    else:
        Image.fromarray(content).save(path)
    with pytest.raises(ValueError, match=message):
        build(root).load_sample(0)


def test_truncated_disparities_are_not_half_read(root: Path) -> None:
    path = root / 'disparity/train' / f'{NAMES["train"][1]}_disparity.png'
    Image.fromarray(np.random.default_rng(0).integers(0, 9999, (H, W)).astype(np.uint16)).save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r'disparity\.png is truncated'):
        build(root)
    with pytest.raises(ValueError, match=r'disparity\.png is damaged'):
        build(root, check=False).load_sample(0)


def test_no_pictures(root: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        build(root / 'nowhere')
    assert 'neither leftImg8bit/*/*/*_leftImg8bit.png' in str(caught.value)
    assert str(caught.value).endswith(f'python tools/data.py replica cityscapes-raw {root}/nowhere')
    with pytest.raises(FileNotFoundError, match=f'Is data_root={str(root)!r} meant'):
        build(root.parent)


def test_metainfo() -> None:
    assert len(PALETTE) == len(CITYSCAPES_19_CLASSES) == len(TRAIN_IDS) == 19
    assert (CITYSCAPES_19_CLASSES[TRAIN_IDS[26]], CITYSCAPES_19_CLASSES[TRAIN_IDS[33]]) == ('car', 'bicycle')
    assert PALETTE[TRAIN_IDS[7]] == (128, 64, 128)


def test_replica_round_trip(tmp_path: Path) -> None:
    write_replica('cityscapes-raw', tmp_path, counts={'train': 1, 'val': 2}, size=(24, 48), quiet=True)
    dataset = build(tmp_path, split='val')
    assert dataset.metainfo['replica'] and len(dataset) == 2
    sample, room = dataset.load_sample(1), render_room('val', 1, (24, 48))
    np.testing.assert_array_equal(sample['img'], room['image'])
    np.testing.assert_array_equal(sample['gt']['semseg'], room['semseg'])
    np.testing.assert_allclose(sample['gt']['depth'], room['depth'], rtol=2e-3)
