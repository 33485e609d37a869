import pickle
import random
from typing import ClassVar

import numpy as np
import pytest
import torch
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader

from mtlbox.datasets import NYUD, DefaultSampler, MultiTaskDataset, NYUv2, RoomsDataset
from mtlbox.datasets.samplers import SampleIndex
from mtlbox.registry import UnknownComponentError
from mtlbox.tasks import Depth, Disparity, SemSeg, distinct_colours

TASKS = {'semseg': {'type': 'SemSeg', 'num_classes': 3}, 'depth': {'type': 'Depth'}}
PACK = [{'type': 'PackMultiTaskInputs'}]


class Tiny(MultiTaskDataset):
    """Four constant images; the last one has no depth."""

    METAINFO: ClassVar[dict] = {
        'labels': ('semseg', 'depth', 'normals'),
        'classes': {'semseg': ('a', 'b', 'c')},
        'palette': {'semseg': distinct_colours(3)},
    }
    images: ClassVar[int] = 4

    def load_data_list(self):
        return [{'number': i, 'sample_id': f'room-{i}'} for i in range(self.images)]

    def load_image(self, info):
        return np.full((6, 8, 3), info['number'], np.uint8)

    def load_label(self, info, name):
        if name == 'semseg':
            return np.full((6, 8), info['number'] % 3, np.uint8)
        if name == 'normals':
            return np.zeros((6, 8, 3), np.float32)
        return None if info['number'] == 3 else np.full((6, 8), 2.0, np.float32)


def draw(sample):
    """What a transform of ours, and one of another package, may draw."""
    others = {'numpy': np.random.rand(), 'python': random.random(), 'torch': torch.rand(()).item()}  # noqa: NPY002
    return {'ours': sample['rng'].random(), **others}


def broken(**overrides):
    """An instance of ``Tiny`` some methods of which return something else."""
    methods = {name: (lambda self, *args, value=value: value) for name, value in overrides.items()}
    return type('Broken', (Tiny,), methods)(tasks=TASKS)


class TestSamples:
    def test_what_enters_the_pipeline(self):
        sample = Tiny(tasks=TASKS).load_sample(2)
        assert sample['img'][0, 0].tolist() == [2, 2, 2]
        assert {key: (gt.shape, gt[0, 0]) for key, gt in sample['gt'].items()} == {
            'semseg': ((6, 8), 2),
            'depth': ((6, 8), 2.0),
        }
        assert sample['ori_shape'] == sample['img_shape'] == (6, 8)
        assert (sample['sample_idx'], sample['sample_id'], sample['number']) == (2, 'room-2', 2)
        assert isinstance(sample['tasks']['semseg'], SemSeg)

    def test_missing_label_becomes_all_ignore_and_unlabelled(self):
        dataset = Tiny(tasks=TASKS, pipeline=PACK)
        assert 'depth' not in dataset.load_sample(3)['gt']
        gt = dataset[3]['data_samples'].gt
        assert gt.semseg.labelled is True and gt.depth.labelled is False
        assert gt.depth.data.shape == (1, 6, 8) and not gt.depth.data.any()
        assert dataset[2]['data_samples'].gt.depth.labelled is True

    def test_task_without_any_label_here(self):
        tasks = {**TASKS, 'saliency': {'type': 'Saliency'}}
        gt = Tiny(tasks=tasks, pipeline=PACK)[0]['data_samples'].gt
        assert gt.saliency.labelled is False and (gt.saliency.data == 255).all()

    def test_derived_label(self):
        tasks = {'edge': {'type': 'Edge'}}
        gt = Tiny(tasks=tasks, pipeline=PACK)[0]['data_samples'].gt
        assert gt.edge.labelled is True and gt.edge.data.abs().max() < 1e-6

    def test_metainfo(self):
        dataset = Tiny(tasks=TASKS)
        assert list(dataset.metainfo['tasks']) == ['semseg', 'depth']
        assert isinstance(dataset.metainfo['tasks']['depth'], Depth)
        assert dataset.metainfo['dataset'] == 'Tiny'

    def test_samples_without_a_name_are_called_by_their_number(self):
        dataset = type('Nameless', (Tiny,), {'load_data_list': lambda self: [{'number': 0}, {'number': 1}]})(
            tasks=TASKS
        )
        assert dataset.load_sample(1)['sample_id'] == '1'

    def test_indices(self):
        assert [Tiny(tasks=TASKS, indices=[3, 1]).load_sample(i)['number'] for i in range(2)] == [3, 1]
        assert len(Tiny(tasks=TASKS, indices=2)) == 2

    def test_travels_to_workers(self):
        dataset = pickle.loads(pickle.dumps(Tiny(tasks=TASKS, pipeline=PACK)))
        assert dataset[1]['data_samples'].sample_id == 'room-1'

    def test_rng_follows_numpys_seed(self):
        dataset = Tiny(tasks=TASKS, pipeline=[lambda sample: sample['rng'].random()])
        np.random.seed(5)  # noqa: NPY002 (what mmengine does in each worker)
        first = [dataset[0], dataset[0]]
        np.random.seed(5)  # noqa: NPY002
        assert [dataset[0], dataset[0]] == first and first[0] != first[1]

    def test_rng_is_a_function_of_seed_epoch_and_sample(self):
        dataset = Tiny(tasks=TASKS, pipeline=[lambda sample: sample['rng'].random()])
        drawn = {(i, stream): dataset[SampleIndex(i, stream)] for i in (0, 1) for stream in ((3, 0), (3, 1), (4, 0))}
        assert len(set(drawn.values())) == 6
        assert all(dataset[SampleIndex(i, stream)] == value for (i, stream), value in reversed(drawn.items()))

    def test_workers_draw_what_one_process_draws(self):
        dataset = Tiny(tasks=TASKS, pipeline=[draw])
        sampler = DefaultSampler(dataset, seed=3)
        draws = []
        for workers in (0, 1, 2):
            loader = DataLoader(dataset, sampler=sampler, num_workers=workers, persistent_workers=workers > 0)
            epochs = []
            for epoch in (0, 1):
                sampler.set_epoch(epoch)
                epochs.append([{key: value.item() for key, value in sample.items()} for sample in loader])
            draws.append(epochs)
        ours = [[[sample['ours'] for sample in epoch] for epoch in epochs] for epochs in draws]
        assert ours[0] == ours[1] == ours[2] and ours[0][0] != ours[0][1]
        assert draws[1] == draws[2], 'transforms of others, which draw from the global generators, see the worker'

    def test_pipeline_in_any_scope(self):
        init_default_scope('mtlbox')
        data = Tiny(tasks=TASKS, pipeline=[{'type': 'Resize', 'size': (3, 4)}, *PACK])[0]
        assert data['inputs'].shape == (3, 3, 4) and data['inputs'].dtype == torch.uint8
        assert data['data_samples'].gt.semseg.data.shape == (1, 3, 4)


class TestLabels:
    def test_by_key(self):
        tasks = {'semseg_nyu': {'type': 'SemSeg', 'num_classes': 3}, 'depth': {'type': 'Depth'}}
        dataset = Tiny(tasks=tasks, labels={'semseg_nyu': 'semseg'})
        assert list(dataset.load_sample(1)['gt']) == ['semseg_nyu']

    def test_one_label_may_serve_two_tasks(self):
        tasks = {key: {'type': 'SemSeg', 'num_classes': 3} for key in ('a', 'b')}
        sample = Tiny(tasks=tasks, labels={'a': 'semseg', 'b': 'semseg'}).load_sample(1)
        assert list(sample['gt']) == ['a', 'b']

    def test_each_task_says_whether_a_label_holds_anything_for_it(self):
        class Blind(SemSeg):
            def valid(self, gt):
                return torch.zeros_like(gt[:, 0], dtype=torch.bool)

        tasks = {'blind': Blind(key='blind', num_classes=3), 'seeing': SemSeg(key='seeing', num_classes=3)}
        dataset = Tiny(tasks=tasks, labels=dict.fromkeys(tasks, 'semseg'), pipeline=PACK)
        assert list(dataset.load_sample(1)['gt']) == ['seeing']
        gt = dataset[1]['data_samples'].gt
        assert (gt.blind.labelled, gt.seeing.labelled) == (False, True) and (gt.seeing.data == 1).all()

    def test_a_map_without_a_labelled_pixel_is_no_label(self):
        class Void(Tiny):
            def load_label(self, info, name):
                return np.full((6, 8), 255, np.uint8) if name == 'semseg' else super().load_label(info, name)

        assert list(Void(tasks=TASKS).load_sample(0)['gt']) == ['depth']

    def test_only_some(self):
        assert list(Tiny(tasks=TASKS, labels=['depth']).load_sample(0)['gt']) == ['depth']

    def test_unknown_label(self):
        with pytest.raises(ValueError, match=r"Tiny has no label 'dept'\. Did you mean 'depth'\?"):
            Tiny(tasks=TASKS, labels={'depth': 'dept'})

    def test_unknown_task(self):
        with pytest.raises(
            ValueError, match=r"labels of Tiny names 'semsegg', which is not a task\. Did you mean 'semseg'"
        ):
            Tiny(tasks=TASKS, labels={'semsegg': 'semseg'})

    def test_label_of_no_task(self):
        with pytest.raises(ValueError, match="labels of Tiny names 'normals', which is not a task"):
            Tiny(tasks=TASKS, labels=['depth', 'normals'])

    def test_twice(self):
        with pytest.raises(ValueError, match="labels of Tiny names 'depth' twice"):
            Tiny(tasks=TASKS, labels=['depth', 'semseg', 'depth'])

    def test_a_string(self):
        with pytest.raises(TypeError, match="labels must be a list or a dict, but is the string 'depth'"):
            Tiny(tasks=TASKS, labels='depth')

    @pytest.mark.parametrize('cls', [NYUv2, NYUD, RoomsDataset])
    def test_another_unit(self, cls):
        message = rf"'depth' of {cls.__name__} has the unit 'm', which the task 'near' \(Disparity\) takes for "
        message += "'of full scale': use .*type='Depth'"
        with pytest.raises(ValueError, match=message):
            cls.match_labels({'near': Disparity(key='near')}, {'near': 'depth'})
        assert cls.match_labels({'far': Depth(key='far')}, {'far': 'depth'}) == {'far': 'depth'}

    def test_a_unit_that_no_task_has(self):
        cls = type('Feet', (Tiny,), {'METAINFO': {**Tiny.METAINFO, 'units': {'depth': 'ft'}}})
        with pytest.raises(ValueError, match=r"has the unit 'ft', which the task 'depth' \(Depth\) takes for 'm'\.$"):
            cls(tasks=TASKS)

    def test_a_unit_that_is_not_stated_is_taken_at_its_word(self):
        plain = type('Plain', (Depth,), {'unit': ''})(key='depth')
        assert NYUv2.match_labels({'depth': plain}) == {'depth': 'depth'}

    def test_none_matches(self):
        with pytest.raises(
            ValueError, match=r'Tiny has labels for semseg, depth, normals, but the tasks are boundary\..*labels=dict'
        ):
            Tiny(tasks={'boundary': {'type': 'Boundary'}})


class TestBadInput:
    def test_no_task(self):
        with pytest.raises(ValueError, match='tasks is empty'):
            Tiny(tasks={})

    def test_unknown_task(self):
        with pytest.raises(UnknownComponentError, match="Nearest: 'Depth'"):
            Tiny(tasks={'depth': {'type': 'Deepth'}})

    def test_no_samples(self):
        with pytest.raises(ValueError, match=r"Broken\(split='train'\) has no samples"):
            broken(load_data_list=[])

    @pytest.mark.parametrize('serialize', [True, False])
    def test_no_indices(self, serialize):
        with pytest.raises(ValueError, match=r"Tiny\(split='train'\) has no samples"):
            Tiny(tasks=TASKS, indices=[], serialize_data=serialize)

    def test_no_samples_names_the_folder(self):
        class Empty(Tiny):
            images = 0

        with pytest.raises(
            ValueError, match=r"Empty\(split='val', data_root='/data/x'\) has no samples: there is no such folder"
        ):
            Empty(tasks=TASKS, split='val', data_root='/data/x')
        with pytest.raises(ValueError, match=r'has no samples\.$'):
            Empty(tasks=TASKS, split='val', data_root='.')

    @pytest.mark.parametrize(
        ('given', 'said'),
        [
            (None, 'a NoneType'),
            ('room.png', 'a str'),
            (['room.png'], 'a list of str'),
            (({} for _ in range(2)), 'a generator'),
        ],
    )
    def test_no_list_of_samples(self, given, said):
        message = f'load_data_list of Broken must return a list with a dict per sample, but gave {said}'
        with pytest.raises(ValueError, match=message):
            broken(load_data_list=given)

    @pytest.mark.parametrize('lacking', ['load_image', 'load_label'])
    def test_a_reader_that_is_not_there(self, lacking):
        cls = type('Half', (Tiny,), {lacking: getattr(MultiTaskDataset, lacking)})
        with pytest.raises(ValueError, match=f'Half does not define {lacking}'):
            cls(tasks=TASKS).load_sample(0)

    def test_no_labels(self):
        cls = type('Plain', (Tiny,), {'METAINFO': {'labels': ()}})
        with pytest.raises(ValueError, match=r"Plain has no labels: name those that it has in METAINFO\['labels'\]"):
            cls(tasks=TASKS)

    @pytest.mark.parametrize('shape', [(6, 8), (6, 8, 4), (3, 6, 8)])
    def test_no_rgb_image(self, shape):
        with pytest.raises(ValueError, match=rf'sample room-1: an RGB image .* but the shape is \({shape[0]}, '):
            broken(load_image=np.zeros(shape, np.uint8)).load_sample(1)

    @pytest.mark.parametrize(
        ('label', 'message'),
        [
            (np.zeros((8, 6), np.uint8), r"the map of 'semseg' is 8x6, but the image is 6x8 \(height x width\)"),
            (np.zeros((6, 8, 3), np.uint8), r"the map of 'semseg' must have shape \(H, W\), but has \(6, 8, 3\)"),
            (np.full((6, 8), 7, np.uint8), r"the map of 'semseg' holds \[7\], but only 0\.\.2 and 255"),
            (np.zeros((6, 8), np.float32), "the map of 'semseg' must hold integers"),
        ],
    )
    def test_illegal_label(self, label, message):
        with pytest.raises(ValueError, match=rf"Broken\(split='train'\), sample room-1: {message}"):
            broken(load_label=label)[1]

    @pytest.mark.parametrize('value', [np.nan, -1.0])
    def test_illegal_depth(self, value):
        class Wrong(Tiny):
            def load_label(self, info, name):
                label = super().load_label(info, name)
                if name == 'depth':
                    label[2, 3] = value
                return label

        with pytest.raises(ValueError, match=r"sample room-0: the map of 'depth' holds (1 NaN|negative)"):
            Wrong(tasks=TASKS)[0]
