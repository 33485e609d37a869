import colorsys
import copy
import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlbox.datasets import MultiTaskDataset
from mtlbox.datasets.transforms import (
    PhotometricDistortion,
    RandomCrop,
    RandomFlip,
    RandomRotate,
    RandomScale,
    RandomScaleCrop,
    Resize,
)
from mtlbox.tasks import build_tasks

TASKS = build_tasks(
    {
        'semseg': {'type': 'SemSeg', 'num_classes': 250},
        'depth': {'type': 'Depth'},
        'normals': {'type': 'Normals'},
        'edge': {'type': 'Edge'},
    }
)
RANDOM = [
    RandomScale(scale=(0.5, 2.0)),
    RandomCrop(size=(7, 9)),
    RandomScaleCrop(size=(7, 9)),
    RandomFlip(),
    RandomRotate(degrees=30, prob=0.7),
    PhotometricDistortion(),
]
BAD_SIZES = ((0, 32), (-5, 32), (32, 0.5), (32,), 32, '32', (True, 4))
BAD_CHOICES = ((), (1.0, 0.0), (float('nan'),), [1.0, float('inf')], 2.0, ['a'], [True])
BAD_COLOURS = ((1, 2), (300, 0, 0), (0, -1, 0), (0, 0, float('nan')), 'red', 128)
FLAGS = list(itertools.product((True, False), repeat=5))
COLOURS = {'brightness': 256, 'contrast': 3, 'saturation': float('nan'), 'hue': 181}


def make_sample(height=12, width=16, seed=0):
    """Image and class map hold the same random number at each pixel, so that one shows whether the other followed."""
    numbers = np.random.default_rng(1).integers(0, 250, (height, width)).astype(np.uint8)
    normals = np.zeros((height, width, 3), np.float32)
    normals[..., 0], normals[..., 2] = 0.6, -0.8
    return {
        'img': np.repeat(numbers[..., None], 3, 2),
        'gt': {
            'semseg': numbers.copy(),
            'depth': numbers.astype(np.float32) + 1,
            'normals': normals,
            'edge': np.full((height, width), 0.5, np.float32),
        },
        'tasks': TASKS,
        'rng': np.random.default_rng(seed),
        'ori_shape': (height, width),
        'img_shape': (height, width),
    }


def assert_consistent(sample):
    assert sample['img_shape'] == sample['img'].shape[:2]
    for key, gt in sample['gt'].items():
        assert gt.shape[:2] == sample['img_shape'], key
        TASKS[key].check(gt, 'moved')


@pytest.mark.parametrize('transform', RANDOM, ids=lambda t: type(t).__name__)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_draws_from_the_samples_generator_only(transform, seed):
    np.random.seed(seed)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = transform(make_sample(seed=seed))
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    second = transform(make_sample(seed=seed))
    np.testing.assert_array_equal(first['img'], second['img'])
    for key in first['gt']:
        np.testing.assert_array_equal(first['gt'][key], second['gt'][key])
    assert_consistent(first)


@pytest.mark.parametrize('transform', RANDOM, ids=lambda t: type(t).__name__)
def test_other_seeds_give_other_results(transform):
    results = {transform(make_sample(seed=seed))['img'].tobytes() for seed in range(20)}
    assert len(results) > 1


@pytest.mark.parametrize('transform', [*RANDOM, Resize(size=(5, 6))], ids=lambda t: type(t).__name__)
def test_a_sample_without_labels_passes(transform):
    sample = make_sample()
    sample['gt'] = {}
    moved = transform(sample)
    assert moved['gt'] == {} and moved['img_shape'] == moved['img'].shape[:2]


@pytest.mark.parametrize(
    ('transform', 'arguments', 'message'),
    [
        *((kind, {'size': size}, 'size must be') for kind in (Resize, RandomCrop) for size in BAD_SIZES),
        (RandomCrop, {'size': (4, 4), 'cat_max': 0.75}, 'cat_max needs cat_task'),
        (RandomCrop, {'size': (4, 4), 'cat_max': 0, 'cat_task': 'semseg'}, 'cat_max must be above 0'),
        (RandomCrop, {'size': (4, 4), 'cat_max': 1.1, 'cat_task': 'semseg'}, r'cat_max must be in 0\.\.1, but is 1\.1'),
        *((RandomScale, {'scale': scale}, 'scale must be') for scale in ((0, 1), (2, 1), (-1, 1), 2.0, (1, 2, 3))),
        *((RandomScale, {'choices': choices}, 'choices must be positive factors') for choices in BAD_CHOICES),
        (RandomScale, {'choices': (2.0,), 'scale': (0.5, 2.0)}, r'scale and choices exclude .* \(0\.5, 2\.0\) and \(2'),
        *((RandomScale, {'fill': fill}, r'fill must be \(red, green, blue\)') for fill in BAD_COLOURS),
        (RandomRotate, {'fill': (1, 2)}, 'fill must be'),
        (RandomCrop, {'size': (4, 4), 'fill': 128}, 'fill must be .*, but is 128'),
        (RandomScaleCrop, {'size': (4, 4), 'choices': [1.0], 'scale': (1, 2)}, 'scale and choices exclude each other'),
        *((kind, {'prob': prob}, 'prob must be in 0') for kind in (RandomFlip, RandomRotate) for prob in (1.5, -1)),
        *((RandomRotate, {'degrees': x}, 'degrees must be') for x in ((10, -10), -5, '5', (0, float('inf')))),
        *((PhotometricDistortion, {key: -1}, f'{key} must be in 0') for key in COLOURS),
        *((PhotometricDistortion, {key: high}, f'{key} must be in 0') for key, high in COLOURS.items()),
    ],
)
def test_illegal_arguments(transform, arguments, message):
    with pytest.raises(ValueError, match=message):
        transform(**arguments)


class TestResize:
    def test_moves_all(self):
        sample = Resize(size=(24, 20))(make_sample())
        assert sample['img'].shape == (24, 20, 3) and sample['ori_shape'] == (12, 16)
        assert_consistent(sample)
        np.testing.assert_allclose(sample['gt']['normals'], np.broadcast_to([0.6, 0, -0.8], (24, 20, 3)), atol=1e-6)
        assert set(np.unique(sample['gt']['depth'])) <= set(np.unique(make_sample()['gt']['depth'])), 'not zoomed'

    def test_labels_may_stay(self):
        sample, before = Resize(size=(24, 20), labels=False)(make_sample()), make_sample()
        assert sample['img_shape'] == (24, 20)
        for key in TASKS:
            np.testing.assert_array_equal(sample['gt'][key], before['gt'][key])

    def test_same_size_changes_nothing(self):
        np.testing.assert_array_equal(Resize(size=(12, 16))(make_sample())['img'], make_sample()['img'])

    def test_reduces_by_area(self):
        sample = Resize(size=(6, 8))(make_sample())
        blocks = make_sample()['img'].reshape(6, 2, 8, 2, 3).astype(float).mean((1, 3))
        assert np.abs(sample['img'] - blocks).max() <= 0.51


class TestRandomScale:
    def test_enlarging_divides_depth(self):
        sample = RandomScale(scale=(2.0, 2.0))(make_sample())
        assert sample['img'].shape == (24, 32, 3)
        np.testing.assert_array_equal(sample['gt']['depth'], make_sample()['gt']['depth'].repeat(2, 0).repeat(2, 1) / 2)
        np.testing.assert_array_equal(sample['gt']['semseg'], make_sample()['gt']['semseg'].repeat(2, 0).repeat(2, 1))

    def test_range(self):
        heights = {RandomScale(scale=(0.5, 2.0))(make_sample(100, 10, seed))['img'].shape[0] for seed in range(60)}
        assert 50 <= min(heights) < 65 and 180 < max(heights) <= 200

    def test_choices(self):
        scale = RandomScale(choices=(1.0, 1.2, 1.5))
        heights = [scale(make_sample(100, 10, seed))['img'].shape[0] for seed in range(60)]
        assert {height: heights.count(height) > 8 for height in heights} == {100: True, 120: True, 150: True}

    def test_keeps_its_size_about_the_centre(self):
        large, whole = (
            RandomScale(choices=(2.0,), keep_size=True)(make_sample()),
            RandomScale(choices=(2.0,))(make_sample()),
        )
        for key in TASKS:
            np.testing.assert_array_equal(large['gt'][key], whole['gt'][key][6:18, 8:24])
        np.testing.assert_array_equal(large['img'], whole['img'][6:18, 8:24])
        assert large['img_shape'] == (12, 16)

    def test_what_becomes_too_small_is_padded_on_all_sides(self):
        fill = (1, 2, 3)
        small, inner = (RandomScale(choices=(0.5,), keep_size=k, fill=fill)(make_sample()) for k in (True, False))
        assert small['img'].shape == (12, 16, 3)
        window = np.s_[3:9, 4:12]
        np.testing.assert_array_equal(small['img'][window], inner['img'])
        outside = np.ones((12, 16), bool)
        outside[window] = False
        assert (small['img'][outside] == fill).all()
        for key, task in TASKS.items():
            np.testing.assert_array_equal(small['gt'][key][window], inner['gt'][key])
            assert (small['gt'][key][outside] == task.ignore_value).all()


class TestRandomCrop:
    def test_image_and_maps_stay_together(self):
        corners = set()
        for seed in range(80):
            sample = RandomCrop(size=(10, 13))(make_sample(seed=seed))
            assert_consistent(sample)
            np.testing.assert_array_equal(sample['img'][..., 0], sample['gt']['semseg'])
            np.testing.assert_array_equal(sample['gt']['semseg'] + 1.0, sample['gt']['depth'])
            corners.add(tuple(np.argwhere(make_sample()['gt']['semseg'] == sample['gt']['semseg'][0, 0])[0]))
        assert len(corners) == 12, 'all 3 x 4 windows are drawn'

    def test_pads_what_is_smaller(self):
        sample = RandomCrop(size=(20, 10), fill=(9, 8, 7))(make_sample())
        assert_consistent(sample)
        assert (sample['img'][12:] == [9, 8, 7]).all()
        assert (sample['gt']['semseg'][12:] == 255).all() and (sample['gt']['semseg'][:12] != 255).all()
        assert (sample['gt']['depth'][12:] == 0).all() and (sample['gt']['edge'][12:] == -1).all()
        assert (sample['gt']['normals'][12:] == 0).all()

    def test_leaves_what_is_smaller(self):
        sample = RandomCrop(size=(20, 10), pad=False)(make_sample())
        assert_consistent(sample)
        assert sample['img_shape'] == (12, 10)
        whole = RandomCrop(size=(20, 30), pad=False)(make_sample())
        np.testing.assert_array_equal(whole['img'], make_sample()['img'])

    def test_avoids_windows_of_one_class(self):
        crop = RandomCrop(size=(4, 4), cat_max=0.75, cat_task='semseg')
        shares = []
        for seed in range(30):
            sample = make_sample(seed=seed)
            sample['gt']['semseg'][:] = 5
            sample['gt']['semseg'][:, 12:14] = 6
            counts = np.bincount(crop(sample)['gt']['semseg'].ravel())
            shares.append(counts.max() / counts.sum())
        plain = 4 / 13  # how often a window drawn blindly is mixed enough
        assert np.mean([share < 0.75 for share in shares]) > 2 * plain

    def test_ignored_pixels_are_no_class(self):
        """Of the windows only those about the column of class 6 have two classes, however much is ignored."""
        found = []
        for seed in range(20):
            sample = make_sample(seed=seed)
            sample['gt']['semseg'][:] = 5
            sample['gt']['semseg'][::2] = 255
            sample['gt']['semseg'][1::2, 3] = 6
            found.append(6 in RandomCrop(size=(4, 3), cat_max=0.75, cat_task='semseg')(sample)['gt']['semseg'])
        assert np.mean(found) > 0.7

    def test_all_ignored_windows_do_not_crash(self):
        sample = make_sample()
        sample['gt']['semseg'][:] = 255
        assert RandomCrop(size=(4, 4), cat_max=0.75, cat_task='semseg')(sample)['img'].shape == (4, 4, 3)

    @pytest.mark.parametrize(
        ('task', 'message'),
        [
            ('semsegg', "is 'semsegg', which is no task. Did you mean 'semseg'"),
            ('depth', r"must be a task of classes \(semseg\), but 'depth' is a Depth"),
        ],
    )
    def test_cat_task_is_a_task_of_classes(self, task, message):
        crop = RandomCrop(size=(4, 4), cat_max=0.75, cat_task=task)
        with pytest.raises(ValueError, match=message):
            crop(make_sample())
        with pytest.raises(ValueError, match=message):
            MultiTaskDataset(tasks=TASKS, pipeline=[crop], labels=[])

    def test_a_sample_without_the_label_is_cut(self):
        sample = make_sample()
        del sample['gt']['semseg']
        assert RandomCrop(size=(4, 4), cat_max=0.75, cat_task='semseg')(sample)['img'].shape == (4, 4, 3)


class TestRandomScaleCrop:
    @pytest.mark.parametrize('pad', [True, False])
    @settings(max_examples=60, deadline=None)
    @given(
        seed=st.integers(0, 2**32 - 1),
        size=st.sampled_from([(33, 45), (40, 90), (90, 110), (47, 61)]),
        zoom=st.sampled_from([{}, {'scale': (1.0, 1.41)}, {'choices': (0.8, 1.0, 1.5)}]),
    )
    def test_is_scale_then_crop_to_the_bit(self, pad, size, zoom, seed):
        crop = {'size': size, 'pad': pad, 'fill': (9, 8, 7), 'cat_max': 0.2, 'cat_task': 'semseg'}
        fused, apart = self.make_sample(seed), self.make_sample(seed)
        fused, apart = RandomScaleCrop(**crop, **zoom)(fused), RandomCrop(**crop)(RandomScale(**zoom)(apart))
        assert fused['rng'].random() == apart['rng'].random()
        assert fused['img_shape'] == apart['img_shape']
        np.testing.assert_array_equal(fused['img'], apart['img'])
        for key in fused['gt']:
            np.testing.assert_array_equal(fused['gt'][key], apart['gt'][key], err_msg=key)

    @staticmethod
    def make_sample(seed):
        """All tasks as noise; the classes are mixed on the left alone, and there is a person on the right alone."""
        rng, size = np.random.default_rng(0), (47, 61)
        sample = make_sample(*size, seed)
        normals = rng.normal(size=(*size, 3)).astype(np.float32)
        sample['gt']['normals'] = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
        sample['gt']['edge'] = rng.uniform(-0.2, 1, size).astype(np.float32)
        sample['gt']['edge'][sample['gt']['edge'] < 0] = -1
        sample['gt']['semseg'][:, 25:] = 3
        sample['gt']['human_parts'] = np.zeros(size, np.uint8)
        sample['gt']['human_parts'][20, 50] = 4
        sample['gt']['disparity'] = rng.random(size).astype(np.float32)
        sample['tasks'] = TASKS | build_tasks(
            {'human_parts': {'type': 'HumanParts'}, 'disparity': {'type': 'Disparity'}}
        )
        return sample


class TestRandomFlip:
    def test_mirrors_all(self):
        sample, before = RandomFlip(prob=1.0)(make_sample()), make_sample()
        assert sample['flip'] is True
        np.testing.assert_array_equal(sample['img'], before['img'][:, ::-1])
        np.testing.assert_array_equal(sample['gt']['depth'], before['gt']['depth'][:, ::-1])
        np.testing.assert_allclose(sample['gt']['normals'], -before['gt']['normals'] * [1, 1, -1])

    def test_never(self):
        sample = RandomFlip(prob=0.0)(make_sample())
        assert sample['flip'] is False
        np.testing.assert_array_equal(sample['img'], make_sample()['img'])

    def test_twice_is_the_identity(self):
        flip, sample = RandomFlip(prob=1.0), make_sample()
        twice = flip(flip(copy.copy(sample)))
        np.testing.assert_array_equal(twice['img'], sample['img'])
        for key in TASKS:
            np.testing.assert_array_equal(twice['gt'][key], sample['gt'][key])


class TestRandomRotate:
    def test_quarter_turn(self):
        sample, before = RandomRotate(degrees=(90, 90))(make_sample(11, 11)), make_sample(11, 11)
        np.testing.assert_array_equal(sample['gt']['semseg'], np.rot90(before['gt']['semseg']))
        np.testing.assert_allclose(sample['img'].astype(int), np.rot90(before['img']).astype(int), atol=1)
        np.testing.assert_allclose(sample['gt']['normals'][5, 5], [0, -0.6, -0.8], atol=1e-5)

    def test_image_and_maps_turn_alike(self):
        sample = make_sample(41, 51)
        smooth = cv2.GaussianBlur(sample['img'], (0, 0), 4)
        sample['img'], sample['gt']['semseg'] = smooth, smooth[..., 0].copy()
        turned = RandomRotate(degrees=(23, 23), fill=(255, 255, 255))(sample)
        inside = slice(12, 29), slice(15, 36)
        difference = turned['img'][inside][..., 0].astype(int) - turned['gt']['semseg'][inside]
        assert np.abs(difference).max() < 12 < np.ptp(smooth)
        assert (turned['img'][0, 0] == 255).all()

    def test_one_number_is_a_symmetric_range(self):
        assert RandomRotate(degrees=7).degrees == (-7, 7)

    def test_never(self):
        np.testing.assert_array_equal(RandomRotate(prob=0.0)(make_sample())['img'], make_sample()['img'])


class Draws:
    """A generator that says of brightness, contrast, contrast first, saturation and hue whether they change, and where
    in its range each of the four amounts lies."""

    def __init__(self, changed, shares):
        self.flags = iter([0.1 if change else 0.9 for change in changed])
        amounts = zip(shares, (changed[0], changed[1], changed[3], changed[4]))
        self.shares = iter([share for share, change in amounts if change])

    def random(self, size=None):
        return next(self.flags) if size is None else np.array([next(self.flags) for _ in range(size)])

    def uniform(self, low, high):
        return low + next(self.shares) * (high - low)


def distorted(image, changed, shares):
    """Return mmsegmentation's sequence at its defaults, written out in real numbers: its integers cut off fractions."""
    brighter, contrasted, early, saturated, turned = changed
    values = image.astype(float)
    if brighter:
        values = np.clip(values + (2 * shares[0] - 1) * 32, 0, 255)
    contrast = 0.5 + shares[1] if contrasted else 1
    if early:
        values = np.clip(values * contrast, 0, 255)
    if saturated or turned:
        hue, saturation, value = np.vectorize(colorsys.rgb_to_hsv)(*np.moveaxis(values / 255, -1, 0))
        if saturated:
            saturation = np.clip(saturation * (0.5 + shares[2]), 0, 1)
        if turned:
            hue = (hue + (2 * shares[3] - 1) * 18 / 180) % 1  # 18 of the 180 steps of a turn in OpenCV
        values = 255 * np.stack(np.vectorize(colorsys.hsv_to_rgb)(hue, saturation, value), -1)
    return values if early else np.clip(values * contrast, 0, 255)


class TestPhotometricDistortion:
    @pytest.mark.parametrize('dtype', [np.uint8, np.float32])
    @pytest.mark.parametrize('changed', FLAGS, ids=str)
    def test_is_the_sequence_of_mmsegmentation(self, changed, dtype):
        for seed in range(4):
            image = np.random.default_rng(seed).integers(0, 256, (6, 7, 3))
            shares = np.random.default_rng(100 + seed).random(4)
            sample = PhotometricDistortion()({'img': image.astype(dtype), 'rng': Draws(changed, shares)})
            expected = distorted(image, changed, shares)
            np.testing.assert_allclose(sample['img'], expected, atol=0.6 if dtype == np.uint8 else 0.05)

    @pytest.mark.parametrize('dtype', [np.uint8, np.float32])
    def test_keeps_type_range_and_maps(self, dtype):
        for seed in range(10):
            sample = make_sample(seed=seed)
            sample['img'] = np.random.default_rng(seed).integers(0, 256, (12, 16, 3)).astype(dtype)
            sample = PhotometricDistortion(brightness=100)(sample)
            assert sample['img'].dtype == dtype and sample['img'].min() >= 0 and sample['img'].max() <= 255
            np.testing.assert_array_equal(sample['gt']['semseg'], make_sample()['gt']['semseg'])

    def test_no_strength_changes_nothing(self):
        for seed in range(10):
            sample = PhotometricDistortion(brightness=0, contrast=0, saturation=0, hue=0)(make_sample(seed=seed))
            np.testing.assert_allclose(sample['img'].astype(int), make_sample()['img'].astype(int), atol=1)

    def test_hue_and_saturation_keep_grey(self):
        for seed in range(10):
            sample = PhotometricDistortion(brightness=0, contrast=0)(make_sample(seed=seed))
            np.testing.assert_allclose(sample['img'].astype(int), make_sample()['img'].astype(int), atol=1)
