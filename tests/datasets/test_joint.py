"""Several data sets as one: samples, batches, ranks, and going on in the middle."""

import itertools
from collections import Counter
from typing import ClassVar

import numpy as np
import pytest
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mtlbox.datasets import (
    DefaultSampler,
    InfiniteSampler,
    JointBatchSampler,
    JointDataset,
    MultiTaskDataset,
    UnmixedBatchSampler,
)
from mtlbox.datasets.joint import interleave
from mtlbox.datasets.samplers import SampleIndex
from mtlbox.tasks import distinct_colours

TASKS = {'semseg_a': {'type': 'SemSeg', 'num_classes': 3}, 'semseg_b': {'type': 'SemSeg', 'num_classes': 5}}
PACK = [{'type': 'PackMultiTaskInputs'}]


class Constant(MultiTaskDataset):
    """Images whose grey is their number."""

    METAINFO: ClassVar[dict] = {
        'labels': ('semseg',),
        'classes': {'semseg': ('wall', 'floor', 'bed')},
        'palette': {'semseg': distinct_colours(3)},
    }

    def __init__(self, *, length, size=(4, 6), **base):
        self.length, self.size = length, size
        super().__init__(serialize_data=False, **base)  # which collects garbage, for 0.2 s

    def load_data_list(self):
        return [{'sample_id': f'{i}'} for i in range(self.length)]

    def load_image(self, info):
        return np.full((*self.size, 3), int(info['sample_id']), np.uint8)

    def load_label(self, info, name):
        return np.ones(self.size, np.uint8)


class FiveClasses(Constant):
    """The same with other classes."""

    METAINFO: ClassVar[dict] = {
        'labels': ('semseg',),
        'classes': {'semseg': ('wall', 'floor', 'bed', 'chair', 'desk')},
        'palette': {'semseg': distinct_colours(5)},
    }


def make(a=6, b=10, pipeline=PACK, without_b=False):
    labels = {'a': {'semseg_a': 'semseg'}, 'b': [] if without_b else {'semseg_b': 'semseg'}}
    sizes = {'a': (4, 6), 'b': (8, 4)}
    return JointDataset(
        datasets={
            name: kind(length=n, size=sizes[name], tasks=TASKS, labels=labels[name], pipeline=pipeline)
            for name, kind, n in (('a', Constant, a), ('b', FiveClasses, b))
        }
    )


def sampler(dataset=None, batch_size=2, rank=0, world_size=1, shuffle=True, **settings):
    dataset = dataset or make()
    made = JointBatchSampler(
        sampler=DefaultSampler(dataset, shuffle=shuffle, seed=3), batch_size=batch_size, **settings
    )
    made.rank, made.world_size = rank, world_size
    return made


def epochs(made, count):
    batches = []
    for epoch in range(count):
        made.sampler.set_epoch(epoch)
        batches += list(made)
    return batches


def told(batches):
    """Return (numbers, streams) of all samples: what two runs must have alike."""
    return [[(int(index), index.stream) for index in batch] for batch in batches]


class TestDataset:
    def test_samples_of_both_in_order(self):
        dataset = make()
        samples = [dataset[i]['data_samples'] for i in range(len(dataset))]
        assert [sample.domain for sample in samples] == ['a'] * 6 + ['b'] * 10
        assert [sample.sample_id for sample in samples] == [*map(str, range(6)), *map(str, range(10))]
        assert [sample.sample_idx for sample in samples] == list(range(16)), 'contrast banks need one number per image'
        assert [dataset[i]['inputs'].shape for i in (5, 6)] == [(3, 4, 6), (3, 8, 4)]

    def test_each_has_labels_for_its_own_tasks(self):
        dataset = make()
        flags = [{key: dataset[i]['data_samples'].gt.get(key).labelled for key in TASKS} for i in (0, 6)]
        assert flags == [{'semseg_a': True, 'semseg_b': False}, {'semseg_a': False, 'semseg_b': True}]

    def test_unlabelled_images_of_another_domain(self):
        sample = make(without_b=True)[6]['data_samples']
        assert sample.domain == 'b' and not any(sample.gt.get(key).labelled for key in TASKS)

    def test_what_enters_the_pipeline(self):
        sample = make().load_sample(7)
        assert (sample['domain'], sample['sample_id'], sample['sample_idx']) == ('b', '1', 7)
        assert list(sample['gt']) == ['semseg_b']

    def test_negative_numbers_count_from_the_end(self):
        dataset = make()
        assert dataset.load_sample(-1)['sample_idx'] == dataset[-1]['data_samples'].sample_idx == 15
        assert dataset[-16]['data_samples'].sample_idx == 0

    def test_metainfo(self):
        meta = make().metainfo
        assert list(meta['tasks']) == list(TASKS) and list(meta['datasets']) == ['a', 'b']
        assert {name: origin['samples'] for name, origin in meta['origin'].items()} == {'a': 6, 'b': 10}

    def test_augmentation_differs_between_the_data_sets(self):
        drawn = []
        dataset = make(pipeline=[lambda sample: drawn.append(sample['rng'].random()) or sample, *PACK])
        for index in (0, 6):  # both the first of their data set
            _ = dataset[SampleIndex(index, (3, 1))]
        assert len(set(drawn)) == 2
        _ = dataset[SampleIndex(6, (3, 1))], dataset[SampleIndex(6, (3, 1, 1))]
        assert drawn[1] == drawn[2] == drawn[3], 'a plain sampler and ours say the same'

    def test_through_workers(self):
        loader = DataLoader(make(), batch_sampler=sampler(), num_workers=1, collate_fn=pseudo_collate)
        there = [[(s.domain, s.sample_idx) for s in batch['data_samples']] for batch in loader]
        assert there == [[('ab'[index >= 6], index) for index in batch] for batch in sampler()]

    def test_bad(self):
        dataset = make()
        with pytest.raises(ValueError, match='needs a data set at least'):
            JointDataset(datasets={})
        with pytest.raises(TypeError, match=r'datasets of JointDataset must be a dict, e\.g\. dict\(nyud='):
            JointDataset(datasets=[dataset.datasets['a']])
        with pytest.raises(TypeError, match="'x' must be a MultiTaskDataset, but is a list"):
            JointDataset(datasets={'a': dataset.datasets['a'], 'x': {'type': list}})
        other = Constant(length=2, tasks={'semseg_a': TASKS['semseg_a']}, labels={'semseg_a': 'semseg'})
        with pytest.raises(ValueError, match="'x' has the tasks semseg_a, but 'a' has semseg_a, semseg_b"):
            JointDataset(datasets={'a': dataset.datasets['a'], 'x': other})
        with pytest.raises(IndexError, match='has 16 samples, but sample 16 is asked for'):
            dataset[16]
        with pytest.raises(ValueError, match='its pipeline must end with PackMultiTaskInputs'):
            make(pipeline=())[0]


class TestInterleave:
    @pytest.mark.parametrize(
        ('ratios', 'cycle'),
        [([1, 1], [0, 1]), ([2, 4], [1, 0, 1]), ([3, 1], [0, 0, 1, 0]), ([1], [0]), ([1, 1, 2], [2, 0, 1, 2])],
    )
    def test_cycle(self, ratios, cycle):
        assert interleave(ratios) == cycle

    def test_is_even(self):
        cycle = interleave([795, 4998])
        assert Counter(cycle) == {0: 265, 1: 1666}
        gaps = np.diff([i for i, kind in enumerate(cycle) if kind == 0])
        assert set(gaps) <= {7, 8}


class TestBatches:
    def test_one_data_set_at_a_time_in_turn(self):
        kinds = [{index >= 6 for index in batch} for batch in sampler()]
        assert kinds == [{False}, {True}] * 5
        assert all(len(batch) == 2 for batch in sampler())

    def test_each_pass_has_every_sample_once(self):
        batches = epochs(sampler(), 6)  # 60 batches of two
        for start, length in ((0, 6), (6, 10)):
            seen = [int(index) - start for batch in batches for index in batch if (index >= 6) == (start > 0)]
            assert len(seen) == 60
            passes = [seen[i : i + length] for i in range(0, 60, length)]
            assert all(sorted(one) == list(range(length)) for one in passes), 'nothing is left out between epochs'
            assert len(set(map(tuple, passes))) > 1

    def test_ratios(self):
        made = sampler(ratios={'a': 1, 'b': 3})
        kinds = ['ab'[batch[0] >= 6] for batch in made]
        assert ''.join(kinds) == 'babbbabbba', 'a takes three batches for its six samples'

    @pytest.mark.parametrize(
        ('settings', 'length'),
        [
            ({}, 10),  # b needs 5 batches of its own
            ({'ratios': {'a': 1, 'b': 5}}, 15),  # a needs 3 of its own, the third of every six
            ({'ratios': {'a': 6, 'b': 10}}, 8),  # each sample once
            ({'epoch_length': 7}, 7),
            ({'world_size': 2}, 6),
            ({'batches': {'both': {'a': 1, 'b': 1}}}, 10),
        ],
    )
    def test_length(self, settings, length):
        made = sampler(**settings)
        assert len(made) == len(list(made)) == length

    def test_a_batch_of_both(self):
        for batch in sampler(batch_size=4, batches={'both': {'a': 1, 'b': 3}}):
            assert [index >= 6 for index in batch] == [False, True, True, True]

    def test_kinds_of_batches(self):
        batches = list(sampler(batches={'both': {'a': 1, 'b': 1}, 'b': {'b': 2}}, epoch_length=4))
        assert [[index >= 6 for index in batch] for batch in batches] == [[False, True], [True, True]] * 2

    def test_in_order(self):
        batches = list(sampler(shuffle=False))
        assert batches[:5] == [[0, 1], [6, 7], [2, 3], [8, 9], [4, 5]]

    def test_passes_draw_anew(self):
        streams = {int(i): set() for i in range(16)}
        for batch in epochs(sampler(), 3):
            for index in batch:
                assert index.stream not in streams[int(index)], 'the same augmentation twice'
                streams[int(index)].add(index.stream)
        assert streams[0] == {(3, number, 0) for number in range(5)} and (3, 0, 1) in streams[6]


class TestRanks:
    @pytest.mark.parametrize('settings', [{}, {'ratios': {'a': 1, 'b': 3}}, {'batches': {'both': {'a': 1, 'b': 1}}}])
    def test_all_draw_the_same_kind_and_together_what_one_draws(self, settings):
        ranks = [epochs(sampler(rank=rank, world_size=2, epoch_length=9, **settings), 3) for rank in range(2)]
        doubled = {key: value if key == 'ratios' else {'both': {'a': 2, 'b': 2}} for key, value in settings.items()}
        alone = epochs(sampler(batch_size=4, epoch_length=9, **doubled), 3)
        assert len(alone) == len(ranks[0]) == len(ranks[1]) == 27
        for first, second, whole in zip(*ranks, alone):
            assert [i >= 6 for i in first] == [i >= 6 for i in second]
            assert sorted(told([first + second])[0]) == sorted(told([whole])[0])


class TestResume:
    @pytest.mark.parametrize('settings', [{}, {'ratios': {'a': 2, 'b': 5}}, {'batches': {'both': {'a': 1, 'b': 1}}}])
    @pytest.mark.parametrize('world_size', [1, 2])
    def test_goes_on_where_it_would_have(self, settings, world_size):
        for rank in range(world_size):
            expected = told(epochs(sampler(rank=rank, world_size=world_size, **settings), 4))
            length = len(expected) // 4
            for at in range(len(expected)):
                made = sampler(rank=rank, world_size=world_size, **settings)
                epoch, done = divmod(at, length)
                made.sampler.set_epoch(epoch)
                made.skip(done)
                assert told(made) == expected[at : (epoch + 1) * length]
                assert len(list(made)) == length, 'it skips once'

    @pytest.mark.parametrize('workers', [0, 1])
    def test_a_loader_goes_on_where_it_would_have(self, workers):
        made = sampler()
        expected = [list(map(int, batch)) for batch in made]
        loader = DataLoader(made.dataset, batch_sampler=made, num_workers=workers, collate_fn=pseudo_collate)
        made.skip(3)
        there = [[s.sample_idx for s in batch['data_samples']] for batch in loader]
        assert there == expected[3:], 'a loader with workers asks for two iterators and uses one'

    def test_epoch_is_that_of_the_start(self):
        made = sampler()
        expected = told(made)
        running = iter(made)
        made.sampler.set_epoch(5)
        assert told(running) == expected


class TestBadInput:
    @pytest.mark.parametrize(
        ('settings', 'message'),
        [
            ({'batches': {'x': {'c': 2}, 'y': {'b': 2}}}, r"batches\.x names 'c', which is no data set\."),
            ({'batches': {'x': {'a': 2}}}, "the data set 'b' is in none of the batches"),
            ({'batches': {'x': {'a': 1, 'b': 2}}}, r'batches\.x has 3 samples, but batch_size is 2'),
            ({'batches': {'x': {'a': 2, 'b': 0}}}, r'batches\.x\.b must be a whole number from 1, but is 0'),
            ({'ratios': {'a': 1}}, 'ratios names a, but the batches are a, b'),
            ({'ratios': {'a': 1, 'b': 1, 'c': 1}}, 'ratios names a, b, c, but the batches are a, b'),
            ({'ratios': {'a': 1, 'b': 0.5}}, r'ratios\.b must be a whole number from 1, but is 0\.5'),
            ({'ratios': {'a': 1, 'b': True}}, r'ratios\.b must be a whole number from 1, but is True'),
            ({'ratios': [1, 1]}, r'ratios of JointBatchSampler must be a dict, e\.g\. .*, but is \[1, 1\]'),
            ({'batches': [{'a': 2}]}, 'batches of JointBatchSampler must be a dict'),
            ({'batches': {'x': 2}}, r'batches\.x of JointBatchSampler must be a dict'),
            ({'batch_size': 2.0}, r'batch_size must be a whole number from 1, but is 2\.0'),
            ({'epoch_length': 0}, 'epoch_length must be a whole number from 1, but is 0'),
            ({'epoch_length': 2.5}, r'epoch_length must be a whole number from 1, but is 2\.5'),
            ({'epoch_length': '3'}, "epoch_length must be a whole number from 1, but is '3'"),
        ],
    )
    def test_settings(self, settings, message):
        with pytest.raises((ValueError, TypeError), match=message):
            sampler(**settings)

    def test_others(self):
        plain = make().datasets['a']
        for kind in (JointBatchSampler, UnmixedBatchSampler):
            with pytest.raises(ValueError, match=rf'{kind.__name__} makes batches of a JointDataset, not of Constant'):
                kind(sampler=DefaultSampler(plain), batch_size=2)
        with pytest.raises(ValueError, match='asks a DefaultSampler for the epoch, not a InfiniteSampler'):
            JointBatchSampler(sampler=InfiniteSampler(make()), batch_size=2)


class TestUnmixed:
    @pytest.mark.parametrize('world_size', [1, 2, 3])
    def test_order_is_the_samplers(self, world_size):
        for rank in range(world_size):
            order = DefaultSampler(make(a=7), shuffle=False)
            order.rank, order.world_size = rank, world_size
            order.num_samples = -(-17 // world_size)
            order.total_size = order.num_samples * world_size
            made = UnmixedBatchSampler(sampler=order, batch_size=4)
            batches = list(made)
            assert list(itertools.chain(*batches)) == list(order)
            assert len(made) == len(batches)
            assert all(len({index >= 7 for index in batch}) == 1 and len(batch) <= 4 for batch in batches)
