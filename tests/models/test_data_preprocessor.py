import numpy as np
import pytest
import torch

from mtlbox.models import MultiTaskDataPreprocessor
from mtlbox.registry import MODELS
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import build_tasks

TASKS = build_tasks(
    {'semseg': {'type': 'SemSeg', 'num_classes': 3}, 'normals': {'type': 'Normals'}, 'edge': {'type': 'Edge'}}
)


def make_sample(height, width, labelled=True):
    sample = MTLDataSample(metainfo={'sample_id': 'a1', 'ori_shape': (height, width), 'img_shape': (height, width)})
    maps = {
        'semseg': torch.ones(1, height, width, dtype=torch.long),
        'normals': torch.ones(3, height, width),
        'edge': torch.zeros(1, height, width),
    }
    sample.set_maps('gt', maps, dict.fromkeys(TASKS, labelled))
    return sample


def make_image(height, width, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (3, height, width), dtype=np.uint8))


def test_normalises():
    image = make_image(4, 5)
    mean, std = (10.0, 20.0, 30.0), (2.0, 4.0, 8.0)
    out = MultiTaskDataPreprocessor(tasks=TASKS, mean=mean, std=std)({'inputs': [image]})
    expected = (image.numpy().astype(float) - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    np.testing.assert_allclose(out['inputs'][0].numpy(), expected, rtol=1e-5)
    assert out['inputs'].dtype == torch.float32 and out['data_samples'] is None


def test_batches_have_a_least_size():
    data = {'inputs': [make_image(4, 9)], 'data_samples': [make_sample(4, 9)]}
    out = MultiTaskDataPreprocessor(tasks=TASKS, min_size=(7, 8))(data, training=True)
    assert out['inputs'].shape == (1, 3, 7, 9) and not out['inputs'][0, :, 4:].any()
    gt = out['data_samples'][0].gt
    assert (gt.semseg.data[:, 4:] == 255).all() and (gt.semseg.data[:, :4] == 1).all()


@pytest.mark.parametrize('training', [True, False])
def test_pads_images_with_zeros_and_maps_in_training_only(training):
    data = {
        'inputs': [make_image(4, 9), make_image(6, 5)],
        'data_samples': [make_sample(4, 9), make_sample(6, 5, False)],
    }
    out = MultiTaskDataPreprocessor(tasks=TASKS)(data, training)
    assert out['inputs'].shape == (2, 3, 6, 9)
    assert not out['inputs'][0, :, 4:].any() and not out['inputs'][1, :, :, 5:].any()
    first, second = out['data_samples']
    assert first.pad_shape == second.pad_shape == (6, 9) and first.img_shape == (4, 9)
    if not training:
        assert first.map('gt', 'semseg').shape == (1, 4, 9)
        return
    for key, task in TASKS.items():
        for sample, height, width in ((first, 4, 9), (second, 6, 5)):
            valid = task.valid(sample.map('gt', key)[None])[0]
            assert valid.shape == (6, 9) and valid[:height, :width].all() and valid.sum() == height * width
        assert first.gt.get(key).labelled is True and second.gt.get(key).labelled is False
    assert first.map('gt', 'semseg').dtype == torch.long


@pytest.mark.parametrize('training', [True, False])
def test_maps_of_bytes_get_their_tasks_types(training):
    tasks = build_tasks({'semseg': {'type': 'SemSeg', 'num_classes': 3}, 'saliency': {'type': 'Saliency'}})
    packed = MTLDataSample(metainfo={'ori_shape': (4, 5), 'img_shape': (4, 5)})
    gt = np.random.default_rng(0).choice(np.uint8([0, 1, 255]), (4, 5))
    packed.set_maps('gt', {key: task.pack(gt) for key, task in tasks.items()}, {'semseg': True, 'saliency': False})
    data = {'inputs': [make_image(4, 5)], 'data_samples': [packed]}
    (sample,) = MultiTaskDataPreprocessor(tasks=tasks)(data, training)['data_samples']
    for key, task in tasks.items():
        assert packed.map('gt', key).dtype == torch.uint8, 'the sample of the loader is left alone'
        assert sample.map('gt', key).dtype == task.dtype
        np.testing.assert_array_equal(sample.map('gt', key)[0].numpy(), gt)
        assert sample.gt.get(key).labelled is (key == 'semseg')


def test_leaves_the_loaders_samples_alone():
    data = {'inputs': [make_image(4, 4), make_image(8, 8)], 'data_samples': [make_sample(4, 4), make_sample(8, 8)]}
    preprocessor = MultiTaskDataPreprocessor(tasks=TASKS)
    first, second = preprocessor(data, True), preprocessor(data, True)
    assert data['data_samples'][0].map('gt', 'edge').shape == (1, 4, 4)
    torch.testing.assert_close(first['inputs'], second['inputs'])


def test_size_divisor():
    out = MultiTaskDataPreprocessor(tasks=TASKS, size_divisor=8)(
        {'inputs': torch.zeros(2, 3, 9, 16, dtype=torch.uint8)}
    )
    assert out['inputs'].shape == (2, 3, 16, 16)


def test_channels_last():
    out = MultiTaskDataPreprocessor(tasks=TASKS, channels_last=True)({'inputs': [make_image(4, 4), make_image(4, 4)]})
    assert out['inputs'].is_contiguous(memory_format=torch.channels_last)


def test_map_of_another_size_is_refused_in_training():
    data = {'inputs': [make_image(4, 4)], 'data_samples': [make_sample(8, 8)]}
    preprocessor = MultiTaskDataPreprocessor(tasks=TASKS)
    assert preprocessor(data, False)['data_samples'][0].map('gt', 'edge').shape == (1, 8, 8)
    with pytest.raises(ValueError, match="Sample a1: the map of 'semseg' is 8x8, but the image is 4x4"):
        preprocessor(data, True)


@pytest.mark.parametrize('without', [['semseg'], list(TASKS)])
def test_a_sample_without_a_map_gets_one_that_is_ignored_in_training(without):
    whole, lacking = make_sample(4, 4), make_sample(4, 6)
    for key in without:
        delattr(lacking.gt, key)
    data = {'inputs': [make_image(4, 4), make_image(4, 6)], 'data_samples': [whole, lacking]}
    first, second = MultiTaskDataPreprocessor(tasks=TASKS)(data, True)['data_samples']
    for key, task in TASKS.items():
        stacked = torch.stack([first.map('gt', key), second.map('gt', key)])
        assert stacked.dtype == first.map('gt', key).dtype
        assert second.gt.get(key).labelled is (key not in without)
        assert task.valid(stacked)[1].any().item() is (key not in without)


def test_a_sample_without_any_ground_truth_is_unlabelled_in_training():
    bare = MTLDataSample(metainfo={'sample_id': 'b'})
    (sample,) = MultiTaskDataPreprocessor(tasks=TASKS)({'inputs': [make_image(4, 4)], 'data_samples': [bare]}, True)[
        'data_samples'
    ]
    assert [sample.gt.get(key).labelled for key in TASKS] == [False] * len(TASKS)


def test_its_numbers_are_not_weights():
    built = MODELS.build({'type': 'MultiTaskDataPreprocessor', 'tasks': TASKS})
    assert not built.state_dict()
