"""The loader is given files written by hand from the description of the archive."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mtlbox.datasets import Taskonomy, listed
from mtlbox.datasets.class_names import NYUD_40_CLASSES, NYUV2_13_CLASSES, TASKONOMY_17_CLASSES
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.rooms import render_room

H, W = 8, 8
TASKS = {
    'semseg': {'type': 'SemSeg', 'num_classes': 17},
    'depth': {'type': 'Depth'},
    'depth_euclidean': {'type': 'Depth'},
    'normals': {'type': 'Normals'},
    'edge': {'type': 'Edge'},
}
FOLDERS = {
    'taskonomy-buildings': '{building}/{domain}',
    'taskonomy-domains': '{domain}/{building}',
    'taskonomy-omnidata': '{domain}/taskonomy/{building}',
}
LIST = 'id,train,val,test\nmuleshoe,1,0,0\nbeechwood,1,0,0\ncorozal,0,1,0\n'


def domains() -> dict[str, np.ndarray]:
    """Uncertain, background, a bottle (2) and a vase (17); 2 m and a hole; a floor, a wall, unknown; a strong edge."""
    classes = np.ones((H, W), np.uint8)
    classes[0, :4] = (0, 1, 2, 17)
    depth = np.full((H, W), 1024, np.uint16)
    depth[0, 0] = 65535
    normal = np.full((H, W, 3), 127, np.uint8)
    normal[:4] = (127, 0, 127)
    normal[4] = (127, 127, 0)
    edge = np.zeros((H, W), np.uint16)
    edge[0, :3] = (4096, 16384, 40000)
    return {
        'rgb': np.full((H, W, 3), 50, np.uint8),
        'segment_semantic': classes,
        'depth_zbuffer': depth,
        'depth_euclidean': depth // 2 * 3,
        'normal': normal,
        'edge_texture': edge,
    }


def write_by_hand(root: Path, layout: str = 'taskonomy-omnidata', where: str = '') -> None:
    (root / where).mkdir(parents=True, exist_ok=True)
    (root / where / 'train_val_test_tiny.csv').write_text(LIST)
    views_of = dict.fromkeys(('muleshoe', 'corozal', 'elsewhere'), ('0_view_0',))
    for building, views in {'beechwood': ('1_view_0', '10_view_3'), **views_of}.items():
        for domain, picture in domains().items():
            folder = root / FOLDERS[layout].format(building=building, domain=domain)
            folder.mkdir(parents=True)
            for view in views:
                called = domain.replace('segment_semantic', 'segmentsemantic')
                Image.fromarray(picture).save(folder / f'point_{view}_domain_{called}.png')


def build(root: Path, **kwargs: Any) -> Taskonomy:
    return Taskonomy(**{'data_root': str(root), 'split': 'train', 'tasks': TASKS, **kwargs})


@pytest.mark.parametrize(('layout', 'where'), list(zip(FOLDERS, ('', 'splits', 'splits_taskonomy'))))
def test_maps_mean_what_the_archive_says(tmp_path: Path, layout: str, where: str) -> None:
    write_by_hand(tmp_path, layout, where)
    dataset = build(tmp_path)
    assert dataset.metainfo['layout'] == layout and dataset.metainfo['origin']['of'] is None
    names = [dataset.get_data_info(i)['sample_id'] for i in range(len(dataset))]
    assert names == ['beechwood/point_10_view_3', 'beechwood/point_1_view_0', 'muleshoe/point_0_view_0']
    gt = dataset.load_sample(2)['gt']
    named = [TASKONOMY_17_CLASSES[i] if i < 255 else None for i in gt['semseg'][0, :5]]
    assert named == [None, 'background', 'bottle', 'vase', 'background']
    assert gt['depth'][0, 0] == 0 and (gt['depth'][1:] == 2).all()
    assert (gt['depth_euclidean'][1:] == 3).all()
    np.testing.assert_allclose(gt['normals'][1, 1], [0, -1, 0], atol=1e-6)  # y points down: a floor faces up
    np.testing.assert_allclose(gt['normals'][4, 1], [0, 0, -1], atol=1e-6)  # towards the camera
    assert not gt['normals'][5:].any()
    assert gt['edge'][0, :4].tolist() == [0.25, 1, 1, 0]
    assert {gt[key].dtype for key in ('depth', 'normals', 'edge')} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ('label', 'classes', 'expected'),
    [
        ('semseg_nyud', NYUD_40_CLASSES, [None, None, 'other prop', 'other prop']),
        ('semseg_nyuv2', NYUV2_13_CLASSES, [None, None, 'objects', 'objects']),
    ],
)
def test_classes_of_nyu(tmp_path: Path, label: str, classes: tuple[str, ...], expected: list) -> None:
    write_by_hand(tmp_path)
    tasks = {'semseg': {'type': 'SemSeg', 'num_classes': len(classes)}}
    semseg = build(tmp_path, tasks=tasks, labels={'semseg': label}).load_sample(0)['gt']['semseg']
    assert [classes[i] if i < 255 else None for i in semseg[0, :4]] == expected


def test_splits_are_those_of_the_list(tmp_path: Path) -> None:
    write_by_hand(tmp_path)
    assert [build(tmp_path, split='val').get_data_info(0)['sample_id']] == ['corozal/point_0_view_0']
    with pytest.raises(FileNotFoundError, match=r"tiny\.csv names no building of the split 'test'"):
        build(tmp_path, split='test')
    with pytest.raises(FileNotFoundError, match=r'There is no file train_val_test_medium\.csv'):
        build(tmp_path, subset='medium')
    tiny = tmp_path / 'train_val_test_tiny.csv'
    (tmp_path / 'train_val_test_medium.csv').write_text(tiny.read_text(), encoding='utf-8-sig')
    assert 'setting' not in build(tmp_path, split='val').metainfo['origin']
    assert build(tmp_path, split='val', subset='medium').metainfo['origin']['setting'] == 'medium subset'
    with pytest.raises(ValueError, match=r"no subset 'tinny'\. Did you mean 'tiny'"):
        build(tmp_path, subset='tinny')
    (tmp_path / 'train_val_test_tiny.csv').write_text('building\nbeechwood\n')
    with pytest.raises(ValueError, match=r'is not a list with the columns id, train, val and test \(KeyError'):
        build(tmp_path)


def test_a_missing_building_or_file_is_named(tmp_path: Path) -> None:
    write_by_hand(tmp_path)
    (tmp_path / 'normal/taskonomy/beechwood/point_1_view_0_domain_normal.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'Missing: .*beechwood/point_1_view_0_domain_normal\.png\.'):
        build(tmp_path)
    (tmp_path / 'rgb/taskonomy/muleshoe').rename(tmp_path / 'rgb/taskonomy/gone')
    with pytest.raises(FileNotFoundError, match='Missing: the pictures of the buildings muleshoe, which train_val'):
        build(tmp_path)
    assert len(build(tmp_path, allow_missing=True)) == 2


def test_missing_pictures_are_looked_for_with_few_folders_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listed, '_FOLDERS_HELD', 4)
    buildings = [f'building{number:03d}' for number in range(30)]
    rows = [f'{building},1,0,0' for building in buildings]
    (tmp_path / 'train_val_test_tiny.csv').write_text('\n'.join(['id,train,val,test', *rows]))
    for building in buildings:
        for domain in ('rgb', 'depth_zbuffer'):
            folder = tmp_path / domain / building
            folder.mkdir(parents=True)
            for view in range(50):
                (folder / f'point_{view}_view_0_domain_{domain}.png').touch()
    (tmp_path / 'rgb/building012/point_7_view_0_domain_rgb.png').unlink()
    dataset = build(tmp_path, tasks={'depth': {'type': 'Depth'}})
    assert len(dataset) == 1499
    tracemalloc.start()
    missing = list(dataset.missing_pictures())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert missing == [f'{tmp_path}/rgb/building012/point_7_view_0_domain_rgb.png']
    assert peak < 60_000, 'the names of all are held'


@pytest.mark.parametrize('subset', ['tiny', 'medium'])
def test_a_missing_list_is_named_with_its_subset(tmp_path: Path, subset: str) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        build(tmp_path, subset=subset)
    text = str(caught.value)
    assert text.count(f'train_val_test_{subset}.csv') == 2 and '{' not in text, text


def test_wrong_values_name_the_file(tmp_path: Path) -> None:
    write_by_hand(tmp_path)
    path = tmp_path / 'segment_semantic/taskonomy/beechwood/point_1_view_0_domain_segmentsemantic.png'
    Image.fromarray(np.full((H, W), 18, np.uint8)).save(path)
    with pytest.raises(ValueError, match=rf'{path} holds \[18\], but only 1\.\.17'):
        build(tmp_path).load_sample(1)


def test_a_sample_takes_few_bytes(tmp_path: Path) -> None:
    """Names, not paths: less than 32 bytes where a list of the paths of five kinds of files takes many hundreds."""
    folder = tmp_path / 'rgb/taskonomy/beechwood'
    folder.mkdir(parents=True)
    (tmp_path / 'train_val_test_tiny.csv').write_text('id,train,val,test\nbeechwood,1,0,0\n')
    names = [f'point_{point}_view_{view}' for point in range(1000) for view in range(3)]
    for name in names:
        (folder / f'{name}_domain_rgb.png').touch()
    dataset = build(tmp_path, allow_missing=True)
    assert len(dataset) == 3000
    assert dataset.data_list.nbytes / len(dataset) < 32
    assert len(pickle.dumps(dataset)) < 40 * len(dataset)  # what a spawned worker is sent
    assert {dataset.get_data_info(i)['sample_id'] for i in range(3000)} == {f'beechwood/{name}' for name in names}
    part = build(tmp_path, allow_missing=True, indices=10)
    assert len(part) == 10 and part.get_data_info(9)['sample_id'] == dataset.get_data_info(9)['sample_id']
    assert build(tmp_path, allow_missing=True, indices=[7, -1]).get_data_info(0)['sample_idx'] == 0


@pytest.mark.parametrize('layout', FOLDERS)
def test_replica_round_trip(tmp_path: Path, layout: str) -> None:
    write_replica(layout, tmp_path, counts={'train': 1, 'val': 2}, size=(24, 48), quiet=True)
    dataset = build(tmp_path, split='val')
    assert dataset.metainfo['layout'] == layout and len(dataset) == 2
    gt, room = dataset.load_sample(1)['gt'], render_room('val', 1, (24, 48))
    np.testing.assert_allclose(gt['depth'], room['depth'], atol=0.001)
    np.testing.assert_allclose((gt['normals'] * room['normals']).sum(-1), 1, atol=1e-3)
