"""What holds for every task, and the base itself."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlbox.registry import UnknownComponentError
from mtlbox.tasks import Boundary, Depth, Edge, HumanParts, Normals, Saliency, SemSeg, Task, build_tasks
from mtlbox.tasks.base import mirror, planes

TASKS = [
    SemSeg(num_classes=5),
    HumanParts(),
    Depth(),
    Normals(),
    Boundary(),
    Saliency(),
    Saliency(key='saliency_2', channels=2),
    Edge(),
]
every_task = pytest.mark.parametrize('task', TASKS, ids=lambda task: task.key)
seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(2, 13), st.integers(2, 13))


def random_map(task, size, seed=0):
    """A legal map of ``task`` in which about a fifth of the pixels is ignored, and a person if parts are asked for."""
    rng = np.random.default_rng(seed)
    if isinstance(task, SemSeg):
        gt = rng.integers(0, task.num_classes, size).astype(np.uint8)
    elif task.gt_channels == 3:
        gt = rng.normal(size=(*size, 3)).astype(np.float32)
        gt /= np.linalg.norm(gt, axis=-1, keepdims=True)
    elif task.ignore_value == 255:
        gt = rng.integers(0, 2, size).astype(np.float32)
    else:
        gt = rng.uniform(0.1, 1, size).astype(np.float32)
    gt[rng.random(size) < 0.2] = task.ignore_value
    gt[0, 0] = [0, 0, -1] if task.gt_channels == 3 else 1
    return gt


def valid(task, gt):
    return task.valid(task.pack(gt)[None])[0].numpy()


def test_classes_are_told_from_quantities():
    assert {task.key for task in TASKS if task.has_classes()} == {'semseg', 'human_parts'}
    assert SemSeg.has_classes() and not Saliency.has_classes()


@every_task
class TestEveryTask:
    @settings(max_examples=20, deadline=None)
    @given(size=sizes, seed=seeds)
    def test_identities(self, task, size, seed):
        gt = random_map(task, size, seed)
        task.check(gt, 'here')
        np.testing.assert_array_equal(task.hflip(task.hflip(gt)), gt)
        np.testing.assert_allclose(task.resize(gt, size), gt, atol=1e-6)
        np.testing.assert_allclose(task.rotate(gt, 0.0), gt, atol=1e-6)
        padded = task.pad(gt, (size[0] + 3, size[1] + 2))
        np.testing.assert_array_equal(task.crop(padded, 0, 0, *size), gt)
        np.testing.assert_array_equal(task.unpack(task.pack(gt)), gt)

    @settings(max_examples=20, deadline=None)
    @given(size=sizes, seed=seeds, new=sizes, degrees=st.floats(-180, 180))
    def test_moved_maps_stay_legal(self, task, size, seed, new, degrees):
        gt = random_map(task, size, seed)
        resized = task.resize(gt, new)
        assert resized.shape[:2] == new
        turned = task.rotate(gt, degrees)
        assert turned.shape == gt.shape
        for moved in (resized, turned, task.hflip(gt), task.resize(gt, new, 1.5)):
            assert moved.dtype == gt.dtype
            task.check(moved, 'moved')

    def test_padding_is_ignored_and_only_padding(self, task):
        gt = random_map(task, (4, 5))
        padded = task.pad(gt, (6, 9))
        assert padded.shape[:2] == (6, 9) and padded.dtype == gt.dtype
        np.testing.assert_array_equal(valid(task, padded)[:4, :5], valid(task, gt))
        assert not valid(task, padded)[4:].any() and not valid(task, padded)[:, 5:].any()

    def test_corners_of_a_turned_map_are_ignored(self, task):
        gt = task.pad(random_map(task, (1, 1)), (1, 1)).repeat(21, 0).repeat(21, 1)
        turned = valid(task, task.rotate(gt, 45.0))
        assert not turned[[0, 0, -1, -1], [0, -1, 0, -1]].any()
        assert turned[5:16, 5:16].all()

    def test_turns_counter_clockwise_as_seen(self, task):
        gt = random_map(task, (9, 9), seed=3)
        np.testing.assert_array_equal(valid(task, task.rotate(gt, 90.0)), np.rot90(valid(task, gt)))

    def test_empty_is_all_ignored_legal_and_packs(self, task):
        empty = task.empty((3, 4))
        task.check(empty, 'here')
        packed = task.pack(empty)
        assert packed.shape == (task.gt_channels, 3, 4) and task.widen(packed).dtype == task.dtype
        assert not task.valid(packed[None]).any()

    def test_decode_has_the_shape_of_the_ground_truth(self, task):
        logits = torch.randn(2, task.channels, 3, 4, generator=torch.Generator().manual_seed(0))
        decoded = task.decode(logits)
        assert decoded.shape == (2, task.gt_channels, 3, 4)
        for one in decoded:
            image = task.draw(task.unpack(one), random_map(task, (3, 4)))
            assert image.shape == (3, 4, 3) and image.dtype == np.uint8
            encoded = task.to_uint16(task.unpack(one))
            assert encoded.dtype == np.uint16 and encoded.shape[:2] == (3, 4)

    def test_draws_ground_truth_even_where_all_is_ignored(self, task):
        for gt in (random_map(task, (5, 6)), task.empty((5, 6))):
            image = task.draw(gt)
            assert image.shape == (5, 6, 3) and image.dtype == np.uint8

    @pytest.mark.parametrize('shape', [(4,), (4, 5, 1), (4, 5, 2), (1, 4, 5)])
    def test_wrong_shape(self, task, shape):
        with pytest.raises(ValueError, match=rf'file 7: the map of {task.key!r} must have shape \(H, W'):
            task.check(np.zeros(shape, random_map(task, (2, 2)).dtype), 'file 7')

    def test_bool_has_no_room_for_ignored(self, task):
        gt = np.zeros((4, 5, 3)[: 3 if task.gt_channels == 3 else 2], bool)
        with pytest.raises(ValueError, match=f'{task.key!r} must hold .*, but has dtype bool'):
            task.check(gt, 'here')

    def test_pack_copies(self, task):
        gt = random_map(task, (4, 5))
        gt.setflags(write=False)
        before = gt.copy()
        task.pack(gt).zero_()
        np.testing.assert_array_equal(gt, before)

    def test_says_what_its_score_is(self, task):
        assert isinstance(task.primary_score, str) and isinstance(task.higher_is_better, bool)


@pytest.mark.parametrize('task', [task for task in TASKS if 'f' in task.kinds], ids=lambda task: task.key)
@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_nan_and_inf(task, bad):
    gt = random_map(task, (4, 5))
    gt[2, 3] = bad
    with pytest.raises(ValueError, match=rf'scene 4: .*{task.key!r} holds {task.gt_channels} NaN or infinite'):
        task.check(gt, 'scene 4')


class TestOtherTypes:
    @pytest.mark.parametrize('dtype', [np.int16, np.uint16, np.int32, np.int64])
    def test_class_maps_of_any_integer_type_move_alike(self, dtype):
        task, gt = TASKS[0], random_map(TASKS[0], (7, 9))
        other = gt.astype(dtype)
        for move in (
            lambda x: task.resize(x, (11, 5)),
            lambda x: task.rotate(x, 29.3),
            lambda x: task.pad(x, (9, 9)),
            task.hflip,
        ):
            assert move(other).dtype == dtype
            np.testing.assert_array_equal(move(other), move(gt))
        assert task.pack(other).equal(task.widen(task.pack(gt)))

    @pytest.mark.parametrize('dtype', [np.float16, np.float64])
    def test_floats_of_any_width_move(self, dtype):
        for task in (Depth(), Normals(), Edge()):
            gt = random_map(task, (7, 9))
            for move in (lambda x, t=task: t.resize(x, (11, 5)), lambda x, t=task: t.rotate(x, 29.3)):
                assert move(gt.astype(dtype)).dtype == dtype
                np.testing.assert_allclose(move(gt.astype(dtype)), move(gt), atol=5e-3)
            assert task.pack(gt.astype(dtype)).dtype == torch.float32


class TestConstant:
    def test_mean_over_labelled_pixels_of_all_maps(self):
        maps = [np.float32([[1, 2, 0]]), np.float32([[6, 0, 0]])]
        np.testing.assert_allclose(Depth().constant(maps), [3.0])

    def test_nothing_labelled(self):
        np.testing.assert_array_equal(Depth().constant([np.zeros((2, 2), np.float32)]), [0.0])

    def test_may_be_fed_by_a_generator(self):
        np.testing.assert_allclose(Saliency().constant(np.float32([[0, 1, 1, 255]]) for _ in range(2)), [2 / 3])


class TestBuildTasks:
    def test_keys_and_instances(self):
        depth = Depth()
        built = build_tasks(
            {
                'semseg_nyu': {'type': 'SemSeg', 'num_classes': 40},
                'semseg_pascal': {'type': 'SemSeg', 'num_classes': 21},
                'depth': depth,
            }
        )
        assert [task.key for task in built.values()] == list(built)
        assert [task.channels for task in built.values()] == [40, 21, 1]
        assert built['depth'] is depth

    def test_the_configs_are_left_as_they_were(self):
        config = {'depth': {'type': 'Depth'}}
        build_tasks(config)
        assert config == {'depth': {'type': 'Depth'}}

    def test_no_task(self):
        with pytest.raises(ValueError, match='tasks is empty'):
            build_tasks({})

    @pytest.mark.parametrize('tasks', [['depth'], [{'type': 'Depth'}], 'depth'])
    def test_not_a_dict(self, tasks):
        with pytest.raises(TypeError, match='tasks must be a dict from key to task'):
            build_tasks(tasks)

    @pytest.mark.parametrize('task', [Depth(), {'type': 'Depth', 'key': 'depth'}])
    def test_another_key(self, task):
        with pytest.raises(ValueError, match="under 'depths' has the key 'depth'"):
            build_tasks({'depths': task})

    def test_unknown_kind(self):
        with pytest.raises(UnknownComponentError, match="Nearest: 'SemSeg'"):
            build_tasks({'semseg': {'type': 'SemSegg'}})

    @pytest.mark.parametrize('key', ['', 'a/b', 'a.b'])
    def test_illegal_key(self, key):
        with pytest.raises(ValueError, match="without '/'"):
            Depth(key=key)

    def test_repr(self):
        assert repr(Task(key='thing')) == "Task(key='thing')"


class TestArguments:
    @pytest.mark.parametrize('num_classes', [0, 1, 255])
    def test_num_classes(self, num_classes):
        with pytest.raises(ValueError, match=f"num_classes of 'semseg' must be 2 to 254, but is {num_classes}"):
            SemSeg(num_classes=num_classes)

    def test_channels(self):
        with pytest.raises(ValueError, match=r"channels of 'saliency' must be 1 \(sigmoid\) or 2"):
            Saliency(channels=3)

    @pytest.mark.parametrize('sigma', [0, -1.0, float('nan')])
    def test_sigma(self, sigma):
        with pytest.raises(ValueError, match="sigma of 'edge' must be positive"):
            Edge(sigma=sigma)


@pytest.mark.parametrize('dtype', ['uint8', 'int64', 'uint16', 'float32', 'float16'])
@pytest.mark.parametrize('shape', [(5, 7), (5, 7, 3), (5, 7, 2), (0, 7, 3)])
def test_moving_pixels(dtype, shape):
    array = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    np.testing.assert_array_equal(mirror(array), array[:, ::-1])
    assert mirror(array).dtype == array.dtype
    if array.ndim == 3:
        moved = planes(array)
        np.testing.assert_array_equal(moved, array.transpose(2, 0, 1))
        assert moved.dtype == array.dtype and moved.flags.c_contiguous and not np.shares_memory(moved, array)


def test_one_labelled_pixel_anywhere_is_enough():
    for task in TASKS:
        empty = task.empty((40, 50))
        assert not task.is_labelled(empty)
        empty[33, 47] = 1
        assert task.is_labelled(empty)
