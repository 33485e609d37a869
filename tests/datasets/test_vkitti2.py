"""The loader is given files written by hand from the description of version 2.0.3."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mtlbox.datasets import VKITTI2, vkitti2
from mtlbox.datasets.class_names import CITYSCAPES_19_CLASSES, VKITTI2_14_CLASSES
from mtlbox.datasets.layouts.arrays import convert
from mtlbox.datasets.layouts.hashes import Hashes
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.rooms import render_room
from mtlbox.datasets.verify import KNOWN
from mtlbox.datasets.vkitti2 import PALETTE, SCENES

H, W = 15, 45
TASKS = {'semseg': {'type': 'SemSeg', 'num_classes': 14}, 'depth': {'type': 'Depth'}, 'normals': {'type': 'Normals'}}
CAR, GUARD_RAIL, TREE, SKY = (255, 127, 80), (250, 100, 255), (0, 199, 0), (90, 200, 255)


def write_by_hand(root: Path, *, apart: bool) -> None:
    """Two scenes and variations, both cameras: a car at 20.5 m; undefined, sky, a tree and a guard rail above it."""
    classes = np.zeros((H, W, 3), np.uint8)
    classes[...] = CAR
    classes[0, :4] = ((0, 0, 0), SKY, TREE, GUARD_RAIL)
    depth = np.full((H, W), 2050, np.uint16)
    depth[0, 1] = 65535
    for scene, variation, camera in (
        ('Scene01', 'clone', 0), ('Scene01', 'fog', 0), ('Scene01', 'clone', 1), ('Scene06', 'clone', 0),
    ):  # fmt: skip
        for number in (0, 10, 9):
            for archive, file, picture in (
                ('rgb', f'rgb_{number:05d}.jpg', np.full((H, W, 3), 90 + 10 * camera, np.uint8)),
                ('depth', f'depth_{number:05d}.png', depth),
                ('classSegmentation', f'classgt_{number:05d}.png', classes),
            ):
                top = root / f'vkitti_2.0.3_{archive}' if apart else root
                path = top / scene / variation / 'frames' / archive / f'Camera_{camera}' / file
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(picture).save(path)


def build(root: Path, **kwargs: Any) -> VKITTI2:
    return VKITTI2(**{'data_root': str(root), 'split': 'train', 'tasks': TASKS, **kwargs})


@pytest.mark.parametrize('apart', [False, True])
def test_maps_mean_what_the_release_says(tmp_path: Path, apart: bool) -> None:
    write_by_hand(tmp_path, apart=apart)
    dataset = build(tmp_path)
    assert dataset.metainfo['layout'] == ('vkitti2-apart' if apart else 'vkitti2-joint')
    names = [dataset.get_data_info(i)['sample_id'] for i in range(len(dataset))]
    assert names == [f'Scene01/{v}/Camera_0/{n:05d}' for v in ('clone', 'fog') for n in (0, 9, 10)]
    gt = dataset.load_sample(0)['gt']
    named = [VKITTI2_14_CLASSES[i] if i < 255 else None for i in gt['semseg'][0, :5]]
    assert named == [None, 'sky', 'tree', 'guard rail', 'car']
    assert gt['depth'].dtype == np.float32 and gt['depth'][0, 1] == 0
    assert gt['depth'][0, 0] == np.float32(20.5) and (gt['depth'][1:] == np.float32(20.5)).all()
    np.testing.assert_allclose(gt['normals'][7, 20], [0, 0, -1], atol=1e-6)
    assert not gt['normals'][1, 1].any()  # beside the sky


def test_classes_of_cityscapes(tmp_path: Path) -> None:
    write_by_hand(tmp_path, apart=False)
    dataset = build(
        tmp_path, tasks={'semseg': {'type': 'SemSeg', 'num_classes': 19}}, labels={'semseg': 'semseg_cityscapes'}
    )
    semseg = dataset.load_sample(0)['gt']['semseg']
    named = [CITYSCAPES_19_CLASSES[i] if i < 255 else None for i in semseg[0, :5]]
    assert named == [None, 'sky', 'vegetation', None, 'car']
    assert dataset.metainfo['label_maps'] == {'semseg_cityscapes': 'vkitti2-to-cityscapes'}
    assert dataset.metainfo['classes']['semseg_cityscapes'] == CITYSCAPES_19_CLASSES


def test_scenes_variations_and_cameras(tmp_path: Path) -> None:
    write_by_hand(tmp_path, apart=False)
    assert len(build(tmp_path, split='val')) == 3
    assert len(build(tmp_path, variations=['clone'], cameras=(0, 1))) == 6
    assert build(tmp_path, cameras=[1]).load_sample(0)['img'][5, 5, 0] == 100
    with pytest.raises(ValueError, match=r"no variation 'fogg'\. Did you mean 'fog'"):
        build(tmp_path, variations=['fogg'])
    with pytest.raises(ValueError, match='cameras must be 0, 1 or both'):
        build(tmp_path, cameras=[2])
    with pytest.raises(FileNotFoundError, match='no pictures of the split'):
        build(tmp_path, variations=['rain'])
    assert not set(SCENES['train']) & set(SCENES['val'])


def test_a_choice_is_converted(tmp_path: Path) -> None:
    source, root = tmp_path / 'in', tmp_path / 'out'
    write_by_hand(source, apart=True)
    choice = {'variations': ['clone'], 'cameras': [0, 1]}
    written = convert(source, root, dataset='vkitti2-arrays', labels=['depth'], choice=choice, quiet=True)
    assert written == {'train': 6, 'val': 3}
    choice['cameras'] = [1, 0, 1]  # the order is no choice
    assert not any(
        convert(source, root, dataset='vkitti2-arrays', labels=['depth'], choice=choice, quiet=True).values()
    )
    depth = {'depth': {'type': 'Depth'}}
    assert [len(build(root, tasks=depth, cameras=cameras)) for cameras in ([0], [1], [0, 1])] == [3, 3, 6]
    with pytest.raises(FileExistsError, match=r'cameras \[0, 1\] there, None now'):
        convert(source, root, dataset='vkitti2-arrays', labels=['depth'], choice={'variations': ['clone']})
    with pytest.raises(ValueError, match=r"vkitti2 has no choice of 'camera'\. Did you mean 'cameras'"):
        convert(source, root, dataset='vkitti2-arrays', choice={'camera': [1]})


def test_the_command_that_goes_on_is_the_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, root = tmp_path / 'in', tmp_path / 'to here'
    write_by_hand(source, apart=True)
    monkeypatch.setattr(Hashes, 'note', lambda self, results: sys.exit())
    choice = {'variations': ['clone'], 'cameras': [0]}
    with pytest.raises(SystemExit):
        convert(source, root, dataset='vkitti2-arrays', labels=['depth'], choice=choice, quiet=True)
    command = (root / 'unfinished.txt').read_text().removeprefix('The same command goes on: ')
    assert command.removeprefix(f"tools/data.py convert vkitti2-arrays {source} '{root}' ") == (
        '--labels depth --cameras 0 --variations clone\n'
    )


def test_what_can_be_chosen_are_arguments_of_the_class() -> None:
    for cls, _, _ in KNOWN.values():
        assert set(cls.CHOICES) <= set(inspect.signature(cls.__init__).parameters)


def test_wrong_files_are_named(tmp_path: Path) -> None:
    write_by_hand(tmp_path, apart=False)
    frames = tmp_path / 'Scene01/clone/frames'
    path = frames / 'classSegmentation/Camera_0/classgt_00000.png'
    for colour in ((77, 77, 77), (210, 200, 255), (0, 0, 200)):  # of the last two, some class has each number
        Image.fromarray(np.full((H, W, 3), colour, np.uint8)).save(path)
        with pytest.raises(ValueError, match=rf'classgt_00000\.png holds the colour {re.escape(str(colour))}, which'):
            build(tmp_path).load_sample(0)
    (frames / 'depth/Camera_0/depth_00009.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'Missing: .*Scene01/clone/frames/depth/Camera_0/depth_00009\.png\.'):
        build(tmp_path)
    assert len(build(tmp_path, allow_missing=True)) == 6


def test_every_colour_is_its_class(tmp_path: Path) -> None:
    colours = np.array([[*PALETTE, (0, 0, 0)]], np.uint8)
    Image.fromarray(colours).save(tmp_path / 'a.png')
    assert vkitti2._classes(str(tmp_path / 'a.png')).tolist() == [[*range(14), 255]]


def test_metainfo() -> None:
    assert len(set(PALETTE)) == len(VKITTI2_14_CLASSES) == 14
    assert sum(VKITTI2.METAINFO['sizes'].values()) == 21260


@pytest.mark.parametrize('layout', ['vkitti2-joint', 'vkitti2-apart'])
def test_replica_round_trip(tmp_path: Path, layout: str) -> None:
    write_replica(layout, tmp_path, counts={'train': 1, 'val': 2}, size=(24, 48), quiet=True)
    dataset = build(tmp_path, split='val')
    sample, room = dataset.load_sample(1), render_room('val', 1, (24, 48))
    assert dataset.metainfo['layout'] == layout and sample['sample_id'] == 'Scene06/clone/Camera_0/00001'
    np.testing.assert_array_equal(sample['gt']['semseg'], room['semseg'])
    np.testing.assert_allclose(sample['gt']['depth'], room['depth'], atol=0.006)
