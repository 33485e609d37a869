"""The loader is given files written by hand from the description of the layout, not by the project's own writer.

What the layouts of MTAN share (missing and damaged files, shapes) is tested with NYUv2.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtlbox.config import load_config
from mtlbox.datasets import CityscapesMTAN
from mtlbox.datasets.cityscapes_mtan import CITYSCAPES_7_CLASSES, CITYSCAPES_19_CLASSES
from mtlbox.datasets.layouts import LAYOUTS
from mtlbox.datasets.layouts.mtan_cityscapes import encode_room
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.rooms import render_room
from mtlbox.registry import DATASETS

ROOT = Path(__file__).parents[2]
HEIGHT, WIDTH = 6, 12
SIZE = (24, 48)
TASKS = {'semseg': {'type': 'SemSeg', 'num_classes': 19}, 'disparity': {'type': 'Disparity'}}
SEVEN = {
    'tasks': {**TASKS, 'semseg': {'type': 'SemSeg', 'num_classes': 7}},
    'labels': {'semseg': 'semseg_7', 'disparity': 'disparity'},
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Image ``i``: grey i/10, class i + 15 and category i, an unlabelled column, disparity falling, with a hole."""
    for i in range(4):
        disparity = np.tile(np.linspace(0.49, 0.01, WIDTH), (HEIGHT, 1))[..., None].astype(np.float32)
        disparity[0, 0] = 0
        arrays = {
            'image': np.full((HEIGHT, WIDTH, 3), i / 10),
            'label_19': np.full((HEIGHT, WIDTH), i + 15.0),
            'label_7': np.full((HEIGHT, WIDTH), float(i)),
            'depth': disparity,
        }
        arrays['label_19'][:, 0] = arrays['label_7'][:, 0] = -1
        for folder, array in arrays.items():
            path = tmp_path / 'train' / folder / f'{i}.npy'
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, array)
    return tmp_path


def build(root: Path, **kwargs: Any) -> CityscapesMTAN:
    return CityscapesMTAN(**{'data_root': str(root), 'split': 'train', 'tasks': TASKS, **kwargs})


def test_maps_mean_what_the_layout_says(root: Path) -> None:
    sample = build(root).load_sample(3)
    np.testing.assert_allclose(sample['img'], 0.3 * 255, rtol=1e-6)
    semseg, disparity = sample['gt']['semseg'], sample['gt']['disparity']
    assert semseg.dtype == np.uint8 and (semseg[:, 0] == 255).all() and (semseg[:, 1:] == 18).all()
    assert disparity.shape == (HEIGHT, WIDTH) and disparity.dtype == np.float32
    assert disparity[0, 0] == 0 and disparity[1, 0] == np.float32(0.49)


def test_seven_classes_are_another_label(root: Path) -> None:
    semseg = build(root, **SEVEN).load_sample(3)['gt']['semseg']
    assert (semseg[:, 0] == 255).all() and (semseg[:, 1:] == 3).all()
    for path in (root / 'train/label_19').iterdir():  # which is then not needed
        path.unlink()
    assert len(build(root, **SEVEN)) == 4


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'tasks': {**SEVEN['tasks']}}, "'semseg' of CityscapesMTAN has 19 classes, but the task 'semseg' has 7"),
        ({**SEVEN, 'tasks': TASKS}, "'semseg_7' of CityscapesMTAN has 7 classes, but the task 'semseg' has 19"),
        ({'split': 'vall'}, r"CityscapesMTAN has no split 'vall'\. Did you mean 'val'\?"),
        ({'labels': ['semseg', 'depth']}, "CityscapesMTAN has no label 'depth'"),
        (
            {'tasks': {'depth': {'type': 'Depth'}}, 'labels': {'depth': 'disparity'}},
            r"'disparity' of CityscapesMTAN has the unit 'of full scale', which the task 'depth' \(Depth\) takes "
            "for 'm': use type='Disparity'",
        ),
    ],
)
def test_what_does_not_fit(root: Path, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(root, **arguments)


def test_names_of_the_classes(root: Path) -> None:
    classes = build(root).metainfo['classes']
    assert (len(CITYSCAPES_19_CLASSES), len(CITYSCAPES_7_CLASSES)) == (19, 7)
    assert classes['semseg'][13] == 'car' and classes['semseg_7'][6] == 'vehicle'


@pytest.mark.parametrize(
    ('file', 'value', 'complaint'),
    [
        ('label_19/2', 19, r"label_19/2\.npy: the map of 'semseg' holds \[19\]"),
        ('depth/2', -0.1, r"depth/2\.npy: the map of 'disparity' holds negative disparities"),
        ('depth/2', 80, r'depth/2\.npy: rescaled disparities, up to about 0\.49, are expected, but the largest is 80'),
        ('depth/2', np.nan, r"depth/2\.npy: the map of 'disparity' holds 1 NaN"),
    ],
)
def test_wrong_value_names_the_file_when_it_is_read(root: Path, file: str, value: float, complaint: str) -> None:
    path = root / f'train/{file}.npy'
    array = np.load(path)
    array.ravel()[9] = value
    np.save(path, array)
    with pytest.raises(ValueError, match=complaint):
        build(root).load_sample(2)


def test_what_is_missing_is_said_with_the_way_to_get_it(root: Path) -> None:
    (root / 'train/depth/3.npy').unlink()
    with pytest.raises(FileNotFoundError) as caught:
        build(root)
    message = str(caught.value)
    assert 'Missing: ' in message and 'train/depth/3.npy' in message
    assert '2975 and 500 files per folder, 128x256' in message
    assert 'Cityscapes' in message and 'authors of MTAN' in message and 'NYU' not in message
    assert message.endswith(f'python tools/data.py replica cityscapes {root}_replica')


# -- the replica ------------------------------------------------------------------------------------------------------


def test_replica_round_trip(tmp_path: Path) -> None:
    assert LAYOUTS['cityscapes'].counts == {'train': 2975, 'val': 500} and LAYOUTS['cityscapes'].size == (128, 256)
    write_replica('cityscapes', tmp_path, counts={'train': 1, 'val': 2}, size=SIZE, quiet=True)
    names = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob('*.npy')}
    indices = {'train': [0], 'val': [0, 1]}
    folders = ('image', 'label_19', 'label_7', 'depth')
    assert names == {f'{s}/{f}/{i}.npy' for s, f in itertools.product(indices, folders) for i in indices[s]}
    room = render_room('val', 1, SIZE)
    for arguments, expected in (({}, room['semseg']), (SEVEN, room['semseg'] % 7)):
        dataset = DATASETS.build(
            {'type': 'CityscapesMTAN', 'data_root': str(tmp_path), 'split': 'val', 'tasks': TASKS, **arguments}
        )
        assert dataset.metainfo['replica'] is True
        sample = dataset.load_sample(1)
        np.testing.assert_allclose(sample['img'], room['image'], atol=1e-3)
        np.testing.assert_array_equal(sample['gt']['semseg'], expected)
        np.testing.assert_allclose(sample['gt']['disparity'], np.minimum(0.392 / room['depth'], 0.49), rtol=1e-5)


def test_replica_of_what_is_unknown_or_too_near() -> None:
    room = {
        'image': np.zeros((1, 3, 3), dtype=np.uint8),
        'semseg': np.array([[255, 12, 6]], dtype=np.uint8),
        'depth': np.float32([[0, 0.1, 8]]),
    }
    arrays = encode_room(room)
    assert arrays['{split}/label_19/{index}'].tolist() == [[-1, 12, 6]]
    assert arrays['{split}/label_7/{index}'].tolist() == [[-1, 5, 6]]
    np.testing.assert_allclose(arrays['{split}/depth/{index}'][..., 0], [[0, 0.49, 0.049]], rtol=1e-5)
    assert arrays['{split}/depth/{index}'].shape == (1, 3, 1)


# -- the protocol -----------------------------------------------------------------------------------------------------


def test_options_choose_seven_classes() -> None:
    options = {'tasks.semseg.num_classes': 7, 'labels.semseg': 'semseg_7'}
    cfg = load_config(ROOT / 'configs/mtl/mtl_hrnet18_cityscapes.py', options)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.labels == SEVEN['labels']
        assert loader.dataset.tasks.semseg.num_classes == 7
    assert cfg.model.tasks.semseg.num_classes == 7
    with pytest.raises(ValueError, match="'semseg' of CityscapesMTAN has 19 classes"):
        load_config(ROOT / 'configs/mtl/mtl_hrnet18_cityscapes.py', {'tasks.semseg.num_classes': 7})
