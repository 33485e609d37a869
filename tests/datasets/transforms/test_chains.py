"""Any chain of transforms leaves image, maps and camera of a room consistent.

Two tasks of the tests travel along: one whose map numbers the pixels of the room, so that each pixel says afterwards
where it came from, and one that is 1 everywhere and is multiplied by the zoom. What is expected follows from these two
and from the room's camera; no transform is asked. Where no step changes colours, the image holds its own coordinates.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mtlbox.datasets.normals_from_depth import normals_from_depth
from mtlbox.datasets.room_scenes import sample_scene
from mtlbox.datasets.rooms import render_room
from mtlbox.datasets.transforms import PackMultiTaskInputs, RandomCrop, RandomFlip, RandomRotate, RandomScale
from mtlbox.registry import TRANSFORMS
from mtlbox.tasks import Depth, Disparity, Edge, Task, build_tasks
from mtlbox.tasks.base import Array

SIZE = (72, 96)
ROOMS = (0, 3, 7)


class Number(Task):
    """The number of the pixel in the room; -1 has come in from outside."""

    ignore_value = -1.0
    primary_score, higher_is_better = 'none', True


class Zoom(Task):
    """1 everywhere, times the zoom."""

    primary_score, higher_is_better = 'none', True

    def on_zoom(self, gt: Array, zoom: float) -> Array:
        return gt * np.float32(zoom)


TASKS = {
    **build_tasks(
        {
            'semseg': {'type': 'SemSeg', 'num_classes': 13},
            'human_parts': {'type': 'HumanParts'},
            'saliency': {'type': 'Saliency'},
            'boundary': {'type': 'Boundary'},
            'depth': {'type': 'Depth'},
            'disparity': {'type': 'Disparity'},
            'normals': {'type': 'Normals'},
            'edge': {'type': 'Edge'},
        }
    ),
    'number': Number(key='number'),
    'zoom': Zoom(key='zoom'),
}
NEAREST = ('semseg', 'saliency', 'boundary', 'depth', 'disparity')


@lru_cache
def room_maps(index: int) -> dict[str, Array]:
    """Image and maps of a room; a corner has no label at all, and lines of depth are unknown."""
    room = render_room('train', index, SIZE)
    depth = room['depth'].copy()
    depth[::9, 40:] = 0
    maps = {key: room[key] for key in ('semseg', 'human_parts', 'saliency', 'boundary', 'normals')}
    maps |= {'depth': depth, 'disparity': np.where(depth > 0, 0.1 / np.maximum(depth, 0.1), 0).astype(np.float32)}
    maps |= {'edge': Edge().derive(room['image']), 'image': room['image']}
    maps |= {'number': np.arange(depth.size, dtype=np.float32).reshape(SIZE), 'zoom': np.ones(SIZE, np.float32)}
    for key in TASKS.keys() - {'number', 'zoom', 'human_parts'}:
        maps[key] = maps[key].copy()
        maps[key][:16, :20] = TASKS[key].ignore_value
    return maps


@lru_cache
def coordinates() -> Array:
    """A picture in which red and green say where a pixel is, in steps of about half a pixel, and none is black."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.stack([20 + 2 * x, 20 + 2 * y, np.full(SIZE, 200)], -1).astype(np.uint8)


def make_sample(room: int, seed: int) -> dict[str, Any]:
    maps = {key: value.copy() for key, value in room_maps(room).items()}
    image = maps.pop('image')
    sample = {'img': image, 'gt': maps, 'tasks': TASKS, 'rng': np.random.default_rng(seed)}
    return {**sample, 'ori_shape': SIZE, 'img_shape': SIZE}


SCALE = {'type': 'RandomScale', 'scale': (0.7, 1.6)}
SCALE_IN_PLACE = {'type': 'RandomScale', 'choices': (0.8, 1.0, 1.3), 'keep_size': True}
RESIZE = {'type': 'Resize', 'size': (54, 72)}
CROP = {'type': 'RandomCrop', 'size': (60, 70)}
FLIP = {'type': 'RandomFlip', 'prob': 0.7}
ROTATE = {'type': 'RandomRotate', 'degrees': 25}
STEPS = (
    SCALE,
    SCALE_IN_PLACE,
    RESIZE,
    {'type': 'Resize', 'size': (50, 80)},
    CROP,
    {'type': 'RandomCrop', 'size': (90, 110), 'pad': False, 'cat_max': 0.75, 'cat_task': 'semseg'},
    {'type': 'RandomCrop', 'size': (90, 110)},
    {'type': 'RandomScaleCrop', 'scale': (0.7, 1.6), 'size': (60, 70), 'cat_max': 0.75, 'cat_task': 'semseg'},
    FLIP,
    ROTATE,
    {'type': 'PhotometricDistortion'},
)
RESAMPLING = ('RandomScale', 'RandomScaleCrop', 'RandomRotate', 'Resize')


def chains() -> st.SearchStrategy[list[dict]]:
    """One to five steps, of which three resample at most."""
    several = st.lists(st.sampled_from(STEPS), min_size=1, max_size=5)
    return several.filter(lambda steps: sum(step['type'] in RESAMPLING for step in steps) <= 3)


def motion(number: Array) -> tuple[Array, Array]:
    """Return the affine map from pixels (x, y) of ``number`` to pixels of the room: a matrix and where (0, 0) goes."""
    known = number >= 0
    y, x = np.nonzero(known)
    v, u = np.divmod(number[known], SIZE[1])
    found, *_ = np.linalg.lstsq(np.stack([x, y, np.ones_like(x)], 1), np.stack([u, v], 1), rcond=None)
    return found[:2].T, found[2]


def grown(mask: Array, by: int) -> Array:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * by + 1,) * 2, np.uint8)).astype(bool)


def angle(a: Array, b: Array) -> Array:
    return np.rad2deg(np.arccos(np.clip((a * b).sum(-1), -1, 1)))


@settings(max_examples=40, deadline=None)
@given(steps=chains(), room=st.sampled_from(ROOMS), seed=st.integers(0, 2**32 - 1))
@example(steps=[SCALE, CROP, FLIP, ROTATE], room=0, seed=1)
@example(steps=[ROTATE, SCALE_IN_PLACE, FLIP], room=3, seed=2)
@example(steps=[RESIZE, FLIP, ROTATE], room=7, seed=3)
def test_any_chain(steps: list[dict], room: int, seed: int) -> None:
    sample, before = make_sample(room, seed), room_maps(room)
    coloured = any(step['type'] == 'PhotometricDistortion' for step in steps)
    if not coloured:
        sample['img'] = coordinates().copy()
    size, is_even = 1.0, True
    for step in steps:
        old = np.array(sample['img_shape'])
        sample = TRANSFORMS.build(dict(step))(sample)
        if step['type'] == 'Resize':  # no camera moves, and the two sides may change by different factors
            factors = np.array(sample['img_shape']) / old
            size, is_even = size * float(factors.min()), is_even and np.ptp(factors) < 0.01
    gt = sample['gt']
    assert sample['img_shape'] == sample['img'].shape[:2] and sample['img'].dtype == np.uint8
    for key, task in TASKS.items():
        assert gt[key].shape[:2] == sample['img_shape'] and gt[key].dtype == before[key].dtype, key
        task.check(gt[key], key)
    number, inside = gt['number'], gt['number'] >= 0
    source = number[inside].astype(int)
    zoom = np.unique(gt['zoom'][inside])
    assert len(zoom) == 1
    check_nearest(gt, before, inside, source, float(zoom[0]))
    resampled = sum(step['type'] in RESAMPLING for step in steps)
    reach = 1 + int(np.ceil(resampled * max(1.0, 1.0 / (float(zoom[0]) * size))))
    check_edges(gt, before, number, reach if resampled else 0)
    if not coloured:
        check_image(sample['img'], number, reach if resampled else 0)
    if inside.sum() > 300 and is_even:
        check_geometry(gt, before, number, float(zoom[0]), size, reach)


def check_nearest(gt: dict, before: dict, inside: Array, source: Array, zoom: float) -> None:
    """Each pixel has the numbers of the pixel that it came from, and none that were not there."""
    factor = {'depth': 1 / zoom, 'disparity': zoom}
    for key in NEAREST:
        expected = before[key].ravel()[source]
        np.testing.assert_allclose(gt[key][inside], expected * factor.get(key, 1), rtol=1e-5, err_msg=key)
        assert (gt[key][~inside] == TASKS[key].ignore_value).all(), key
    parts, expected = gt['human_parts'], before['human_parts'].ravel()[source]
    if ((expected > 0) & (expected != 255)).any():
        np.testing.assert_array_equal(parts[inside], expected)
    else:
        assert (parts == 255).all(), 'there is no person to be seen'
    # neighbours of different classes that were neighbours before are on a boundary
    for axis in (0, 1):
        (a, b), (one, two), (here, there) = (neighbours(gt[key], axis) for key in ('number', 'semseg', 'boundary'))
        were = (a >= 0) & (b >= 0) & np.isin(np.abs(a - b), (1, SIZE[1]))
        edge = were & (one != two) & (one != 255) & (two != 255)
        assert (here[edge] == 1).all() and (there[edge] == 1).all()


def check_image(image: Array, number: Array, reach: int) -> None:
    """The image shows at each pixel what the maps say of it, and its fill where nothing has come from the room."""
    assert not image[~grown(number >= 0, reach)].any()
    framed = np.pad(number, 1, constant_values=-1.0)  # beyond the frame is outside too
    deep = ~grown(framed < 0, reach)[1:-1, 1:-1]  # where no fill is mixed in
    row, column = np.divmod(number[deep], SIZE[1])
    away = np.abs(image[deep][:, :2] / 2.0 - 10 - np.stack([column, row], -1))
    assert away.max(initial=0) <= reach, f'{away.max():.1f} pixels away'


def neighbours(gt: Array, axis: int) -> tuple[Array, Array]:
    return (gt[:-1], gt[1:]) if axis == 0 else (gt[:, :-1], gt[:, 1:])


def check_edges(gt: dict, before: dict, number: Array, reach: int) -> None:
    """Interpolated strengths are ignored where nothing near is known, and never outside of what is near."""
    source = np.where(number >= 0, number, 0).astype(int)
    window = np.ones((2 * reach + 1,) * 2, np.uint8)
    hole = before['edge'] < 0
    low, high = cv2.erode(before['edge'], window).ravel()[source], cv2.dilate(before['edge'], window).ravel()[source]
    nothing = ~grown(~hole, reach).ravel()[source] & (number >= 0)
    known = gt['edge'] >= 0
    assert not (known & nothing).any()
    safe = known & (number >= 0)
    assert ((gt['edge'] >= low - 1e-5) & (gt['edge'] <= high + 1e-5))[safe].all()


def check_geometry(gt: dict, before: dict, number: Array, zoom: float, size: float, reach: int) -> None:
    """Normals turn as the pixels do, and are those of the surface that the depths show to the moved camera."""
    matrix, origin = motion(number)
    scale = np.sqrt(abs(np.linalg.det(matrix)))  # pixels of the room per pixel
    assert scale == pytest.approx(1 / (zoom * size), rel=0.03)
    inside = number >= 0
    source = np.where(inside, number, 0).astype(int)
    normals = gt['normals']
    known = normals.any(-1)
    np.testing.assert_allclose(np.linalg.norm(normals[known], axis=-1), 1, atol=1e-4)
    # the same surface all around
    old = before['normals']
    window = np.ones((2 * reach + 1,) * 2, np.uint8)
    flat = (cv2.dilate(old, window) - cv2.erode(old, window)).max(-1) < 0.05
    flat &= ~grown(~old.any(-1), reach)
    even = flat.ravel()[source] & inside & ~grown(~inside, 2)
    left, _, right = np.linalg.svd(matrix)  # sides are rounded to whole pixels, so that it is not quite a rotation
    turned = old.reshape(-1, 3)[source] @ np.block([[left @ right, np.zeros((2, 1))], [np.zeros((1, 2)), 1]])
    assert known[even].all()
    assert not even.any() or angle(normals, turned)[even].max() < 4
    # depth, through the camera that the pixels moved with
    focal = sample_camera(before).focal(SIZE) / scale
    centre = np.linalg.solve(matrix, (np.array(SIZE[::-1]) - 1) / 2 - origin)
    seen = normals_from_depth(gt['depth'] * zoom, (focal, focal), tuple(centre), window=9)
    both = even & seen.any(-1)
    if both.sum() > 100:
        difference = angle(normals, seen)[both]
        assert np.median(difference) < 6, f'median {np.median(difference):.1f} of {both.sum()}'


def sample_camera(before: dict) -> Any:
    room = next(room for room in ROOMS if room_maps(room) is before)
    return sample_scene('train', room).camera


def test_the_checks_notice_what_is_wrong() -> None:
    """A task that moves its pixels and not its values, or the reverse, is found."""

    def check(flip: bool, turn: float, wrong: str) -> None:
        sample, before = make_sample(0, 0), room_maps(0)
        for step in ([RandomFlip(prob=1)] if flip else []) + [RandomRotate(degrees=(turn, turn))]:
            sample = step(sample)
        sample = RandomScale(choices=(1.5,))(sample)
        gt = sample['gt']
        if wrong == 'flip':
            gt['normals'][..., 0] *= -1
        if wrong == 'turn':
            gt['normals'] = gt['normals'] @ np.float32([[0.9, -0.44, 0], [0.44, 0.9, 0], [0, 0, 1]])
        number, source = gt['number'], gt['number'][gt['number'] >= 0].astype(int)
        check_nearest(gt, before, number >= 0, source, 1.0 if wrong == 'zoom' else 1.5)
        check_geometry(gt, before, number, 1.5, 1.0, 5)

    check(True, 10, 'nothing')
    for wrong in ('flip', 'turn', 'zoom'):
        with pytest.raises(AssertionError):
            check(True, 10, wrong)


def test_units_and_zoom() -> None:
    depth = np.full((4, 6), 3, np.float32)
    assert (Depth().resize(depth, (8, 12), 2.0) == 1.5).all() and (Depth().resize(depth, (8, 12)) == 3).all()
    assert (Disparity().resize(depth / 10, (8, 12), 2.0) == np.float32(0.6)).all()


def test_padding_of_a_batch_is_ignored_by_every_task() -> None:
    sample = PackMultiTaskInputs()(RandomCrop(size=(100, 120))(make_sample(3, 0)))
    gt = sample['data_samples'].gt
    for key, task in TASKS.items():
        assert not task.valid(gt.get(key).data[None])[0, 72:].any(), key
    assert not sample['inputs'][:, 72:].any()
