"""The loader is given files written by hand from the description of the layout, not by the project's own writer."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.logging import MMLogger

from mtlbox.datasets import NYUv2, npy
from mtlbox.datasets.nyuv2 import NYUV2_13_CLASSES
from mtlbox.datasets.rooms import CLASSES as ROOM_CLASSES
from mtlbox.registry import DATASETS

HEIGHT, WIDTH = 6, 8
TASKS = {'semseg': {'type': 'SemSeg', 'num_classes': 13}, 'depth': {'type': 'Depth'}, 'normals': {'type': 'Normals'}}


def write_by_hand(root: Path, split: str, indices: list[int]) -> None:
    """Image ``i``: red ramp, class i with an unlabelled column, depth i + 1 m with a hole, normals at the camera."""
    for folder in ('image', 'label', 'depth', 'normal'):
        (root / split / folder).mkdir(parents=True)
    for i in indices:
        image = np.zeros((HEIGHT, WIDTH, 3))  # float64
        image[..., 0] = np.linspace(0, 1, WIDTH)
        image[0, 0, 2] = i / 100
        label = np.full((HEIGHT, WIDTH), float(i % 13))  # float64
        label[:, 0] = -1
        depth = np.full((HEIGHT, WIDTH, 1), i + 1, dtype=np.float32)
        depth[0, 0] = 0
        normal = np.zeros((HEIGHT, WIDTH, 3), dtype=np.float32)
        normal[..., 2] = -1
        normal[1, 1] = 0
        normal[2, 2] = (0.5, -0.5, 0)  # sums to zero
        normal[3, 3] = (0.6, 0, -0.8)
        for folder, array in (('image', image), ('label', label), ('depth', depth), ('normal', normal)):
            np.save(root / split / folder / f'{i}.npy', array)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_by_hand(tmp_path, 'train', list(range(12)))
    return tmp_path


def build(root: Path, **kwargs: Any) -> NYUv2:
    return NYUv2(**{'data_root': str(root), 'split': 'train', 'tasks': TASKS, **kwargs})


def test_maps_mean_what_the_layout_says(root: Path) -> None:
    sample = build(root).load_sample(3)
    assert sample['img'].dtype == np.float32
    np.testing.assert_allclose(sample['img'][5, :, 0], np.linspace(0, 255, WIDTH), rtol=1e-6)
    assert sample['img'][..., 1].max() == 0
    assert sample['img_path'] == str(root / 'train/image/3.npy')
    semseg, depth, normals = (sample['gt'][key] for key in ('semseg', 'depth', 'normals'))
    assert semseg.dtype == np.uint8
    assert (semseg[:, 0] == 255).all() and (semseg[:, 1:] == 3).all()
    assert depth.shape == (HEIGHT, WIDTH) and depth.dtype == np.float32
    assert depth[0, 0] == 0 and (depth.ravel()[1:] == 4).all()
    assert normals.dtype == np.float32
    np.testing.assert_array_equal(normals[0, 0], (0, 0, -1))
    np.testing.assert_array_equal(normals[1, 1], 0)
    np.testing.assert_array_equal(normals[2, 2], 0)
    np.testing.assert_allclose(normals[3, 3], (0.6, 0, -0.8))


def test_order_is_numeric(root: Path) -> None:
    dataset = build(root)
    assert [dataset.get_data_info(i)['sample_id'] for i in range(12)] == [str(i) for i in range(12)]
    assert dataset.load_sample(10)['gt']['depth'].max() == 11  # as text, '10' stands before '2'


def test_other_shapes_and_types_in_circulation(root: Path) -> None:
    train = root / 'train'
    picture = np.arange(HEIGHT * WIDTH * 3, dtype=np.uint8).reshape(HEIGHT, WIDTH, 3)
    np.save(train / 'image/0.npy', picture)
    np.save(train / 'label/0.npy', np.full((HEIGHT, WIDTH), 12, dtype=np.int64))
    np.save(train / 'depth/0.npy', np.full((HEIGHT, WIDTH), 2.5))
    np.save(train / 'normal/0.npy', np.asfortranarray(np.broadcast_to([0.0, -1.0, 0.0], (HEIGHT, WIDTH, 3))))
    sample = build(root).load_sample(0)
    assert sample['img'].dtype == np.uint8
    np.testing.assert_array_equal(sample['img'], picture)
    assert (sample['gt']['semseg'] == 12).all()
    assert sample['gt']['depth'].shape == (HEIGHT, WIDTH) and (sample['gt']['depth'] == 2.5).all()
    assert (sample['gt']['normals'] == (0, -1, 0)).all()


def test_a_map_without_labels_is_a_missing_label(root: Path) -> None:
    np.save(root / 'train/label/0.npy', np.full((HEIGHT, WIDTH), -1.0))
    np.save(root / 'train/depth/0.npy', np.zeros((HEIGHT, WIDTH, 1)))
    dataset = build(root, pipeline=[{'type': 'PackMultiTaskInputs'}])
    truth = dataset[0]['data_samples'].gt
    assert [truth.get(key).labelled for key in TASKS] == [False, False, True]
    assert (truth.semseg.data == 255).all()


def test_few_are_chosen_among_those_that_have_the_label(root: Path) -> None:
    for index in range(9):
        np.save(root / f'train/depth/{index}.npy', np.zeros((HEIGHT, WIDTH, 1), np.float32))
    tasks = {'depth': TASKS['depth']}
    assert len(build(root, tasks=tasks, drop_unlabelled=True)) == 3
    few = {'depth': {'count': 3}}
    kept = build(root, tasks=tasks, labelled_only=few).metainfo['origin']['labelled']['depth']
    assert (kept['names'], kept['having']) == (['10', '11', '9'], 3)
    with pytest.raises(ValueError, match=r"asks for 4 samples, but 3 of 12 have the label 'depth'"):
        build(root, labelled_only={'depth': {'count': 4}})
    one = build(root, tasks={key: TASKS[key] for key in ('semseg', 'depth')}, labels_per_image={'least': 1, 'most': 1})
    assert {len(one.load_sample(index)['gt']) for index in range(12)} == {1}


def test_only_the_labels_of_the_tasks_are_needed(root: Path) -> None:
    for folder in ('label', 'normal'):
        for path in (root / 'train' / folder).iterdir():
            path.unlink()
    sample = build(root, tasks={'d': {'type': 'Depth'}}, labels={'d': 'depth'}).load_sample(2)
    assert list(sample['gt']) == ['d'] and sample['gt']['d'].max() == 3


def test_names_json_names_samples(root: Path) -> None:
    (root / 'train/names.json').write_text(json.dumps({'3': '0433'}))
    dataset = build(root)
    assert [dataset.get_data_info(i)['sample_id'] for i in (2, 3)] == ['2', '3_0433']
    (root / 'train/names.json').write_text('{"3":')
    with pytest.raises(ValueError, match=r'train/names\.json is not valid JSON'):
        build(root)


def test_built_by_name_with_thirteen_classes(root: Path) -> None:
    dataset = DATASETS.build({'type': 'NYUv2', 'data_root': str(root), 'split': 'train', 'tasks': TASKS})
    assert isinstance(dataset, NYUv2)
    assert dataset.metainfo['classes']['semseg'][4] == 'floor'
    assert len(NYUV2_13_CLASSES) == 13
    assert tuple(ROOM_CLASSES) == NYUV2_13_CLASSES
    with pytest.raises(ValueError, match="13 classes, but the task 'semseg' has 40"):
        build(root, tasks={'semseg': {'type': 'SemSeg', 'num_classes': 40}})


def test_unknown_split() -> None:
    with pytest.raises(ValueError, match=r"no split 'valid'\. Did you mean 'val'\?"):
        NYUv2(data_root='x', split='valid', tasks=TASKS)


# -- what is missing or damaged is said when the data set is built ----------------------------------------------------


def assert_helps(error: BaseException, root: Path) -> None:
    message = str(error)
    assert '795 and 654' in message and '(H, W, 3)' in message
    assert 'authors of MTAN' in message
    assert 'python tools/data.py replica nyuv2-13' in message


def test_missing_root(tmp_path: Path) -> None:
    root = tmp_path / 'nowhere'
    with pytest.raises(FileNotFoundError, match=r'no folder .*nowhere/train/image') as caught:
        build(root)
    assert_helps(caught.value, root)
    assert str(caught.value).endswith(f'replica nyuv2-13 {root}')


def test_replica_command_never_names_a_folder_in_use(root: Path) -> None:
    (root / 'train/normal/7.npy').unlink()
    with pytest.raises(FileNotFoundError, match=f'replica nyuv2-13 {root}_replica$'):
        build(root)
    (root / 'replica.json').write_text('{}')  # one that was begun is resumed
    with pytest.raises(FileNotFoundError, match=f'replica nyuv2-13 {root}$'):
        build(root)


def test_root_one_level_too_high(tmp_path: Path) -> None:
    write_by_hand(tmp_path / 'nyuv2', 'train', [0])
    with pytest.raises(FileNotFoundError, match=f"Is data_root='{tmp_path / 'nyuv2'}' meant"):
        build(tmp_path)


def test_missing_folder(root: Path) -> None:
    (root / 'train/normal').rename(root / 'train/normals')
    with pytest.raises(FileNotFoundError, match=r'no folder .*train/normal\.') as caught:
        build(root)
    assert_helps(caught.value, root)


@pytest.mark.parametrize('folder', ['image', 'label', 'depth', 'normal'])
def test_missing_index(root: Path, folder: str) -> None:
    (root / f'train/{folder}/7.npy').unlink()
    with pytest.raises(FileNotFoundError, match=f'Missing: .*train/{folder}/7.npy.*{folder} 11') as caught:
        build(root)
    assert_helps(caught.value, root)


def test_numbers_with_zeros_before_them(root: Path) -> None:
    for folder in ('image', 'label', 'depth', 'normal'):
        for path in (root / 'train' / folder).iterdir():
            path.rename(path.with_name(f'{int(path.stem):04d}.npy'))
    with pytest.raises(ValueError, match=r'train/image holds 0000\.npy, .* and 7 more, .*: 0\.npy is') as caught:
        build(root)
    assert_helps(caught.value, root)


def test_empty_split(root: Path) -> None:
    for path in (root / 'train').glob('*/*.npy'):
        path.unlink()
    (root / 'train/image/readme.npy').write_bytes(b'')
    with pytest.raises(ValueError, match='train/image holds no file named'):
        build(root)


@pytest.mark.parametrize(
    ('content', 'complaint'),
    [
        (lambda whole: whole[:-1], 'is truncated: an array of shape .* takes .* bytes, but'),
        (lambda whole: whole + b'\0', 'is too long'),
        (lambda whole: whole[:40], 'has a damaged header'),
        (lambda whole: b'', 'is empty'),
        (lambda whole: b'<!DOCTYPE html>' + whole, 'is not a NumPy file: it begins with'),
    ],
)
def test_damaged_file(root: Path, content: Any, complaint: str) -> None:
    path = root / 'train/depth/4.npy'
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(ValueError, match=f'{path} {complaint}') as caught:
        build(root)
    assert_helps(caught.value, root)
    dataset = build(root, check=False)
    with pytest.raises(ValueError, match=f'{path} {complaint}'):
        dataset.load_sample(4)


def test_objects_are_not_unpickled(root: Path) -> None:
    np.save(root / 'train/label/4.npy', np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match='holds Python objects'):
        build(root)


def test_many_damaged_files_are_counted(root: Path) -> None:
    for path in (root / 'train/label').iterdir():
        path.write_bytes(b'')
    with pytest.raises(ValueError, match=r'label/4\.npy is empty.* and 7 more'):
        build(root)


@pytest.mark.parametrize(
    ('file', 'shape', 'complaint'),
    [
        ('label/2', (HEIGHT, WIDTH + 1), r'label/2.npy is 6x9, but .*image/2.npy is 6x8'),
        ('image/2', (3, HEIGHT, WIDTH), r'image/2.npy has shape \(3, 6, 8\), but \(H, W, 3\) is expected'),
        ('depth/2', (HEIGHT, WIDTH, 3), r'depth/2.npy has shape .* but \(H, W\) or \(H, W, 1\) is expected'),
        ('normal/2', (HEIGHT, WIDTH), r'normal/2.npy has shape'),
        ('label/2', (0, WIDTH), r'label/2.npy has shape'),
    ],
)
def test_wrong_shape(root: Path, file: str, shape: tuple[int, ...], complaint: str) -> None:
    np.save(root / f'train/{file}.npy', np.zeros(shape))
    with pytest.raises(ValueError, match=complaint):
        build(root)


@pytest.mark.parametrize(
    ('file', 'value', 'complaint'),
    [
        ('label/5', 13, r"label/5\.npy: the map of 'semseg' holds \[13\]"),
        ('label/5', 300, r"label/5\.npy: the map of 'semseg' holds \[300\]"),
        ('label/5', -2, r"label/5\.npy: the map of 'semseg' holds \[-2\]"),
        ('label/5', 2.5, r'label/5\.npy: classes must be whole numbers'),
        ('label/5', np.nan, r'label/5\.npy: classes must be whole numbers'),
        ('depth/5', np.nan, r"depth/5\.npy: the map of 'depth' holds 1 NaN"),
        ('depth/5', -3, r"depth/5\.npy: the map of 'depth' holds negative"),
        ('normal/5', 127, r"normal/5\.npy: the map of 'normals' has components up to 127"),
        ('normal/5', np.inf, r"normal/5\.npy: the map of 'normals' holds 1 NaN or infinite"),
        ('image/5', 255, r'image/5\.npy: an image of floats in 0..1'),
        ('image/5', np.nan, r'image/5\.npy: an image of floats in 0..1'),
    ],
)
def test_wrong_value_names_the_file_when_it_is_read(root: Path, file: str, value: float, complaint: str) -> None:
    path = root / f'train/{file}.npy'
    array = np.load(path)
    array.ravel()[9] = value
    np.save(path, array)
    dataset = build(root)
    with pytest.raises(ValueError, match=complaint):
        dataset.load_sample(5)
    assert dataset.load_sample(4)['sample_id'] == '4'


# -- the rest ---------------------------------------------------------------------------------------------------------


def warnings_of(build_it: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    logger = MMLogger.get_current_instance()

    def hear(level: int, message: object, *args: Any, **kwargs: Any) -> None:
        if level >= logging.WARNING:
            said.append(str(message))

    monkeypatch.setattr(logger, 'log', hear)
    build_it()
    return said


def test_fewer_samples_than_published_is_a_warning(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = warnings_of(lambda: build(root), monkeypatch)
    assert len(said) == 1 and '12 samples, but the full split has 795' in said[0]


def test_a_full_split_is_silent_and_quickly_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / 'train/image'
    folder.mkdir(parents=True)
    (tmp_path / 'train/depth').mkdir()
    for i in range(795):
        np.save(folder / f'{i}.npy', np.zeros((2, 2, 3)))
        np.save(tmp_path / f'train/depth/{i}.npy', np.ones((2, 2)))
    start = time.perf_counter()
    said = warnings_of(lambda: build(tmp_path, tasks={'depth': {'type': 'Depth'}}), monkeypatch)
    assert time.perf_counter() - start < 2
    assert said == []


def test_a_replica_is_told_from_the_real_thing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert build(root).metainfo['replica'] is False
    (root / 'replica.json').write_text('{}')
    said = warnings_of(lambda: build(root), monkeypatch)
    assert 'rendered rooms' in said[0]
    assert build(root).metainfo['replica'] is True


def test_header_agrees_with_numpy(tmp_path: Path) -> None:
    for array in (np.zeros((3, 0, 2)), np.array(1.5), np.arange(7, dtype='>i4'), np.zeros((2,) * 20, dtype=np.uint8)):
        np.save(tmp_path / 'a.npy', array)
        assert npy.read_header(tmp_path / 'a.npy') == (array.shape, array.dtype)
        np.testing.assert_array_equal(npy.load(tmp_path / 'a.npy'), array)


def test_saving_leaves_the_old_file_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / 'a.npy'
    npy.save(path, np.arange(3))

    def fail(file: Any, *args: Any, **kwargs: Any) -> None:
        file.write(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(np, 'save', fail)
    with pytest.raises(OSError, match='disk full'):
        npy.save(path, np.arange(4))
    assert [p.name for p in tmp_path.iterdir()] == ['a.npy']
    np.testing.assert_array_equal(np.load(path), np.arange(3))
