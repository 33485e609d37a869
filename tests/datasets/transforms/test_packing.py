import numpy as np
import pytest
import torch

from mtlbox.datasets.transforms import PackMultiTaskInputs, RandomCrop, Resize
from mtlbox.structures import stack_maps
from mtlbox.tasks import build_tasks

TASKS = build_tasks({'human_parts': {'type': 'HumanParts'}, 'normals': {'type': 'Normals'}, 'depth': {'type': 'Depth'}})


@pytest.fixture
def sample():
    parts = np.zeros((4, 6), np.uint8)
    parts[1, 1] = 3
    return {
        'img': np.arange(72, dtype=np.uint8).reshape(4, 6, 3),
        'gt': {'human_parts': parts, 'normals': np.tile(np.float32([0, 0, -1]), (4, 6, 1))},
        'tasks': TASKS,
        'rng': np.random.default_rng(0),
        'sample_idx': 3,
        'sample_id': 'b7',
        'ori_shape': (8, 12),
        'img_shape': (4, 6),
        'secret': 1,
    }


def test_image_becomes_channels_first(sample):
    inputs = PackMultiTaskInputs()(sample)['inputs']
    assert inputs.dtype == torch.uint8 and inputs.is_contiguous()
    np.testing.assert_array_equal(inputs.numpy(), sample['img'].transpose(2, 0, 1))


def test_maps_and_metainfo(sample):
    packed = PackMultiTaskInputs()(sample)['data_samples']
    assert packed.metainfo == {'sample_idx': 3, 'sample_id': 'b7', 'ori_shape': (8, 12), 'img_shape': (4, 6)}
    assert packed.map('gt', 'human_parts').dtype == torch.uint8 and packed.map('gt', 'human_parts')[0, 1, 1] == 3
    assert packed.map('gt', 'normals').shape == (3, 4, 6)
    assert packed.gt.normals.labelled is True
    assert stack_maps([packed, packed], 'normals').shape == (2, 3, 4, 6)


def test_missing_label_has_the_size_of_the_others(sample):
    sample['img'], sample['img_shape'] = sample['img'][:2, :3], (2, 3)  # as after Resize(labels=False)
    depth = PackMultiTaskInputs()(sample)['data_samples'].gt.depth
    assert depth.labelled is False and depth.data.shape == (1, 4, 6) and not depth.data.any()


def test_no_label_at_all(sample):
    sample['gt'] = {}
    gt = PackMultiTaskInputs()(sample)['data_samples'].gt
    for key, task in TASKS.items():
        assert gt.get(key).labelled is False
        assert gt.get(key).data.shape[-2:] == (4, 6) and not task.valid(gt.get(key).data[None]).any()


def test_without_a_label_the_size_is_what_one_would_have(sample):
    sample['gt'] = {}
    for size in ((2, 3), (8, 8)):
        sample = Resize(size=size, labels=False)(sample)
    packed = PackMultiTaskInputs()(sample)
    assert packed['inputs'].shape == (3, 8, 8)
    assert {packed['data_samples'].gt.get(key).data.shape[-2:] for key in TASKS} == {(4, 6)}


def test_a_crop_without_a_person_is_unlabelled(sample):
    assert PackMultiTaskInputs()(dict(sample))['data_samples'].gt.human_parts.labelled is True
    sample['gt']['human_parts'][1, 1], sample['gt']['human_parts'][3, 5] = 0, 3
    sample['rng'] = type('TopLeft', (), {'integers': lambda self, low, high: 0})()
    gt = PackMultiTaskInputs()(RandomCrop(size=(2, 2))(sample))['data_samples'].gt
    assert gt.human_parts.labelled is False and (gt.human_parts.data == 255).all()
    assert gt.normals.labelled is True
