"""The loader is given files written by hand from the description of the archives, not by the project's own writer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mtlbox.datasets import NYUD
from mtlbox.datasets.layouts.nyud import NAME
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.nyud import NYUD_40_CLASSES
from mtlbox.datasets.rooms import render_room
from mtlbox.tasks import Depth

SHARED = Path(__file__).parents[2] / '../shared/data'
H, W = 6, 8
TASKS = {
    'semseg': {'type': 'SemSeg', 'num_classes': 40},
    'depth': {'type': 'Depth'},
    'normals': {'type': 'Normals'},
    'boundary': {'type': 'Boundary'},
}
LAYOUTS = ['nyud-a', 'nyud-b', 'nyud-c']
FOLDERS = ('images', 'segmentation', 'depth', 'normals', 'edge')


def scene() -> dict[str, np.ndarray]:
    """Red left, class 3 (of 1..40) with a void column, 2.5 m with a hole, a floor, one column of boundary."""
    image = np.zeros((H, W, 3), np.uint8)
    image[:, : W // 2, 0] = 255
    classes = np.full((H, W), 3, np.uint8)
    classes[:, 0] = 0
    classes[0, 7] = 40
    depth = np.full((H, W), 2.5, np.float32)
    depth[0, 0] = 0
    normals = np.zeros((H, W, 3), np.float32)
    normals[...] = (0.6, -0.8, 0)
    normals[5] = 0
    boundary = np.zeros((H, W), np.uint8)
    boundary[:, 3] = 1
    return {'image': image, 'classes': classes, 'depth': depth, 'normals': normals, 'boundary': boundary}


def write_by_hand(root: Path, layout: str, splits: dict[str, list[str]] | None = None) -> None:
    splits = splits or {'train': ['0003', '0004'], 'val': ['0001']}
    for folder in (*FOLDERS, 'gt_sets'):
        (root / folder).mkdir(parents=True)
    maps = scene()
    coloured = np.uint8(np.round((maps['normals'] + 1) * 127.5))
    for split, names in splits.items():
        (root / f'gt_sets/{split}.txt').write_text('\n'.join(names))
        for name in names:
            if layout == 'nyud-c':
                Image.fromarray(maps['image']).save(root / f'images/{name}.png')
                Image.fromarray(coloured).save(root / f'normals/{name}.png')
            else:
                Image.fromarray(maps['image']).save(root / f'images/{name}.jpg', quality=100, subsampling=0)
            if layout == 'nyud-a':
                Image.fromarray(coloured).save(root / f'normals/{name}.jpg', quality=100, subsampling=0)
                savemat(root / f'segmentation/{name}.mat', {'segmentation': maps['classes'].astype(np.float64)})
                savemat(root / f'depth/{name}.mat', {'depth': maps['depth']})
            else:
                Image.fromarray(maps['classes']).save(root / f'segmentation/{name}.png')
                np.save(root / f'depth/{name}.npy', maps['depth'])
            if layout == 'nyud-b':
                np.save(root / f'normals/{name}.npy', maps['normals'])
                np.save(root / f'edge/{name}.npy', maps['boundary'].astype(np.float64))
            else:
                Image.fromarray(maps['boundary'] * np.uint8(255)).save(root / f'edge/{name}.png')


def build(root: Path, **kwargs: Any) -> NYUD:
    return NYUD(**{'data_root': str(root), 'split': 'train', 'tasks': TASKS, **kwargs})


@pytest.mark.parametrize('layout', LAYOUTS)
def test_maps_mean_what_the_archive_says(tmp_path: Path, layout: str) -> None:
    write_by_hand(tmp_path, layout)
    dataset = build(tmp_path)
    assert len(dataset) == 2 and dataset.metainfo['layout'] == layout
    origin = {'dataset': 'NYUD', 'split': 'train', 'samples': 2, 'of': 795, 'replica': False, 'layout': layout}
    assert dataset.metainfo['origin'] == origin | {'setting': 'train split'}
    sample = dataset.load_sample(1)
    assert sample['sample_id'] == '0004'
    np.testing.assert_allclose(sample['img'].astype(int), scene()['image'], atol=12)  # JPEG
    gt = sample['gt']
    assert gt['semseg'].dtype == np.uint8
    assert (gt['semseg'][:, 0] == 255).all() and (gt['semseg'][1:, 1:] == 2).all() and gt['semseg'][0, 7] == 39
    assert gt['depth'].dtype == np.float32 and gt['depth'][0, 0] == 0 and (gt['depth'][1:] == 2.5).all()
    assert sorted(np.unique(gt['boundary'])) == [0, 1] and (gt['boundary'].sum(0) == [0, 0, 0, 6, 0, 0, 0, 0]).all()
    assert gt['normals'].dtype == np.float32
    known = gt['normals'][:3]
    np.testing.assert_allclose(np.linalg.norm(known, axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(known, np.broadcast_to([0.6, -0.8, 0], known.shape), atol=0.03)
    assert not gt['normals'][5].any()


def test_only_what_the_tasks_read_must_be_there(tmp_path: Path) -> None:
    write_by_hand(tmp_path, 'nyud-c')
    for path in [*(tmp_path / 'depth').iterdir(), *(tmp_path / 'normals').iterdir()]:
        path.unlink()
    dataset = build(tmp_path, tasks={key: TASKS[key] for key in ('semseg', 'boundary')})
    assert dataset.metainfo['layout'] == 'nyud-c' and set(dataset.load_sample(0)['gt']) == {'semseg', 'boundary'}
    with pytest.raises(FileNotFoundError, match=r'Missing: .*depth/0003\.npy, .*normals/0003\.png'):
        build(tmp_path)


def test_what_cannot_be_told_is_refused_with_the_layouts(tmp_path: Path) -> None:
    write_by_hand(tmp_path, 'nyud-b')
    for folder in ('segmentation', 'depth', 'normals', 'edge'):
        for path in (tmp_path / folder).iterdir():
            path.rename(path.with_suffix('.tif'))
    with pytest.raises(ValueError, match='fits none of the known layouts') as caught:
        build(tmp_path)
    for said in (*LAYOUTS, 'segmentation/*.mat', 'images: .jpg', 'depth: .tif'):
        assert said in str(caught.value)
    for folder in ('segmentation', 'depth', 'normals', 'edge'):
        for path in (tmp_path / folder).iterdir():
            path.unlink()
    with pytest.raises(ValueError, match=r"fits several layouts(.|\n)*layout='nyud-a' or 'nyud-b'"):
        build(tmp_path)


def test_a_folder_of_two_archives_needs_a_word(tmp_path: Path) -> None:
    write_by_hand(tmp_path, 'nyud-a')
    write_by_hand(tmp_path / 'other', 'nyud-b')
    for folder in FOLDERS:
        for path in (tmp_path / 'other' / folder).iterdir():
            path.rename(tmp_path / folder / path.name)
    with pytest.raises(ValueError, match='fits several layouts'):
        build(tmp_path)
    assert build(tmp_path, layout='nyud-b').metainfo['layout'] == 'nyud-b'
    with pytest.raises(ValueError, match=r"no layout 'nyud-d'\. Did you mean 'nyud-"):
        build(tmp_path, layout='nyud-d')


def test_maps_of_another_size_follow_their_picture_where_the_archive_has_it_so(tmp_path: Path) -> None:
    write_by_hand(tmp_path / 'a', 'nyud-a')
    savemat(tmp_path / 'a/depth/0003.mat', {'depth': np.full((3, 4), 2.0)})
    assert build(tmp_path / 'a').load_sample(0)['gt']['depth'].shape == (H, W)
    write_by_hand(tmp_path / 'c', 'nyud-c')
    np.save(tmp_path / 'c/depth/0003.npy', np.full((3, 4), 2.0))
    with pytest.raises(ValueError, match=r'depth/0003\.npy is 3x4, but .*images/0003\.png is 6x8'):
        build(tmp_path / 'c')


def test_maps_follow_a_picture_that_its_exif_data_turn(tmp_path: Path) -> None:
    write_by_hand(tmp_path, 'nyud-a')
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: a quarter turn to the right
    standing = Image.fromarray(np.rot90(scene()['image']).copy())
    standing.save(tmp_path / 'images/0003.jpg', exif=exif, quality=100, subsampling=0)
    savemat(tmp_path / 'depth/0003.mat', {'depth': np.full((3, 4), 2.0)})
    sample = build(tmp_path).load_sample(0)
    assert {array.shape[:2] for array in (sample['img'], *sample['gt'].values())} == {(H, W)}
    np.testing.assert_array_equal(sample['gt']['semseg'], build(tmp_path).load_sample(1)['gt']['semseg'])
    np.testing.assert_allclose(sample['img'].astype(int), scene()['image'], atol=12)  # JPEG


class Marked(Depth):
    """Depth whose resized maps can be told."""

    def resize(self, gt: np.ndarray, size: tuple[int, int], zoom: float = 1.0) -> np.ndarray:
        return np.full(size, 7, np.float32)


def test_a_list_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    write_by_hand(tmp_path, 'nyud-a')
    path = tmp_path / 'gt_sets/train.txt'
    before = build(tmp_path).get_data_info(0)['sample_id']
    path.write_text(path.read_text(), encoding='utf-8-sig')
    assert build(tmp_path).get_data_info(0)['sample_id'] == before


def test_a_map_is_resampled_by_the_task_that_reads_it(tmp_path: Path) -> None:
    write_by_hand(tmp_path, 'nyud-a')
    savemat(tmp_path / 'depth/0003.mat', {'depth': np.full((3, 4), 2.0)})
    tasks = {'depth': Depth(), 'marked': Marked(key='marked')}
    gt = build(tmp_path, tasks=tasks, labels={'depth': 'depth', 'marked': 'depth'}).load_sample(0)['gt']
    assert (gt['depth'] == 2).all() and (gt['marked'] == 7).all()


def overwrite(path: Path, content: Any) -> None:
    path.unlink()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        savemat(path, content)
    elif path.suffix == '.npy':
        np.save(path, content)
    else:
        cv2.imwrite(str(path), content)


FULL = np.full((H, W), 1.0)
WRONG = [
    ('nyud-a', 'depth/0003.mat', {'depth': FULL.T}, r'depth/0003\.mat: the map is 8x6, its picture 6x8'),
    (
        'nyud-b',
        'normals/0003.npy',
        np.full((H, W - 2, 3), 0.5),
        r'normals/0003\.npy.* is 6x6, (its picture|but) ',
    ),
    ('nyud-a', 'images/0003.jpg', b'', r'images/0003\.jpg is empty'),
    ('nyud-a', 'images/0003.jpg', b'\x89PNG', r'images/0003\.jpg is not a JPEG picture'),
    ('nyud-a', 'depth/0003.mat', b'not a matrix' * 20, r'depth/0003\.mat is not a MATLAB file of version 5'),
    ('nyud-a', 'depth/0003.mat', {'dep': FULL}, r"depth/0003\.mat does not hold 'depth'"),
    ('nyud-a', 'segmentation/0003.mat', {'segmentation': FULL * 41}, r'0003\.mat holds \[41'),
    ('nyud-a', 'segmentation/0003.mat', {'segmentation': FULL * 1.5}, r'0003\.mat: classes must be whole numbers'),
    ('nyud-b', 'normals/0003.npy', np.full((H, W, 3), 200.0), r'normals/0003\.npy: unit vectors are expected'),
    ('nyud-b', 'normals/0003.npy', np.full((H, W), 0.5), r'normals/0003\.npy: vectors \(H, W, 3\)'),
    ('nyud-b', 'normals/0003.npy', np.full((H, W, 3), np.nan), r'normals/0003\.npy: unit vectors are expected'),
    ('nyud-b', 'edge/0003.npy', FULL * 0.5, r"edge/0003\.npy: the map of 'boundary' holds \[0\.5\]"),
    ('nyud-c', 'depth/0003.npy', FULL * 2500, r'depth/0003\.npy: depths in metres .* 2500: these look like milli'),
    ('nyud-c', 'depth/0003.npy', FULL * -1, r"depth/0003\.npy: the map of 'depth' holds negative"),
    ('nyud-c', 'depth/0003.npy', np.full((H, W), 7, np.uint16), r'depth/0003\.npy: depths in metres must be floats'),
    ('nyud-c', 'segmentation/0003.png', np.full((H, W), 255, np.uint8), r'0003\.png holds \[255\].*counted from 0'),
    ('nyud-c', 'segmentation/0003.png', np.zeros((H, W, 3), np.uint8), r"0003\.png has pixels of the mode 'RGB'"),
    ('nyud-c', 'edge/0003.png', np.ones((H, W), np.uint8), r'edge/0003\.png: 0 and 255 are expected'),
    ('nyud-c', 'edge/0003.png', np.ones((H, W + 1), np.uint8), r'edge/0003\.png is 6x9, but .*images/0003\.png is 6x8'),
]


@pytest.mark.parametrize(('layout', 'file', 'content', 'complaint'), WRONG)
def test_a_wrong_file_is_named(tmp_path: Path, layout: str, file: str, content: Any, complaint: str) -> None:
    write_by_hand(tmp_path, layout)
    overwrite(tmp_path / file, content)
    with pytest.raises(ValueError, match=complaint):
        build(tmp_path).load_sample(0)


@pytest.mark.parametrize(
    'file', ['images/0003.png', 'segmentation/0003.png', 'depth/0003.npy', 'edge/0004.png', 'normals/0003.png']
)
def test_truncation_is_found_before_training(tmp_path: Path, file: str) -> None:
    write_by_hand(tmp_path, 'nyud-c')
    path = tmp_path / file
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=rf'{file} is truncated'):
        len(build(tmp_path))
    write_by_hand(tmp_path / 'a', 'nyud-a')
    mat = tmp_path / 'a/segmentation/0003.mat'
    mat.write_bytes(mat.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r'segmentation/0003\.mat is truncated'):
        len(build(tmp_path / 'a'))


def test_a_link_to_nowhere_is_found_before_training(tmp_path: Path) -> None:
    write_by_hand(tmp_path, 'nyud-c')
    path = tmp_path / 'depth/0003.npy'
    path.unlink()
    path.symlink_to(tmp_path / 'nowhere.npy')
    with pytest.raises(FileNotFoundError, match=r'depth/0003\.npy'):
        len(build(tmp_path))


def test_lists(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'gt_sets/train\.txt, the list of the split(.|\n)*replica nyud-c'):
        build(tmp_path / 'nowhere')
    write_by_hand(tmp_path / 'NYUD_MT', 'nyud-a')
    with pytest.raises(FileNotFoundError, match=r"Is data_root='.*NYUD_MT' meant"):
        build(tmp_path)
    for content, complaint in (
        ('', 'is empty'),
        ('3\n4\n3', 'names 3 twice'),
        ('0003\n0009', 'Missing: .*0009'),
    ):
        (tmp_path / 'NYUD_MT/gt_sets/train.txt').write_text(content)
        with pytest.raises((ValueError, FileNotFoundError), match=complaint):
            build(tmp_path / 'NYUD_MT')
    with pytest.raises(ValueError, match="no split 'test'"):
        build(tmp_path, split='test')


def test_names_beyond_ascii(tmp_path: Path) -> None:
    write_by_hand(tmp_path / 'Käse 数', 'nyud-c', {'train': ['zimmer-ä', '部屋']})
    assert build(tmp_path / 'Käse 数').load_sample(1)['sample_id'] == '部屋'


# -- replicas ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('layout', LAYOUTS)
def test_replica(tmp_path: Path, layout: str) -> None:
    options: dict[str, Any] = {'counts': {'train': 1, 'val': 2}, 'size': (24, 32), 'quiet': True}
    assert write_replica(layout, tmp_path, **options) == {'train': 1, 'val': 2}
    dataset, room = build(tmp_path, split='val'), render_room('val', 1, (24, 32))
    assert dataset.metainfo['layout'] == layout and dataset.metainfo['replica'] is True
    sample = dataset.load_sample(1)
    assert sample['sample_id'] == NAME.format(split='val', index=1)
    gt = sample['gt']
    np.testing.assert_array_equal(gt['depth'], room['depth'])
    np.testing.assert_array_equal(gt['boundary'], room['boundary'])
    angles = np.degrees(np.arccos(np.clip((gt['normals'] * room['normals']).sum(-1), -1, 1)))
    assert np.median(angles) < (0.1 if layout == 'nyud-b' else 1.0 if layout == 'nyud-c' else 4.0)
    names = np.array(NYUD_40_CLASSES)[gt['semseg']]
    assert (names[room['semseg'] == 11] == 'wall').all() and (names[room['semseg'] == 4] == 'floor').all()
    assert write_replica(layout, tmp_path, **options) == {'train': 0, 'val': 0}
    victim = next((tmp_path / 'segmentation').iterdir())
    victim.write_bytes(victim.read_bytes()[:-3])
    assert sum(write_replica(layout, tmp_path, **options).values()) == 1  # what is damaged is written again


@pytest.mark.skipif(not (SHARED / 'nyu_meta').is_dir(), reason='no official NYU files here')
def test_classes_are_the_official_ones() -> None:
    from scipy.io import loadmat

    official = [str(name[0]) for name in loadmat(SHARED / 'nyu_meta/classMapping40.mat')['className'].ravel()]
    spelling = {'refridgerator': 'refrigerator'}
    ours = [name.replace('other ', 'other') for name in NYUD_40_CLASSES]
    assert ours == [spelling.get(name, name) for name in official]
