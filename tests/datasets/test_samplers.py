"""Samplers: order, skipping, and what they say of a sample's randomness."""

import itertools
import pickle
import tracemalloc

import mmengine.dataset
import pytest

from mtlbox.datasets.samplers import DefaultSampler, InfiniteSampler, SampleIndex


def make(kind, size=10, rank=0, world_size=1, **settings):
    sampler = kind(list(range(size)), seed=3, **settings)
    sampler.rank, sampler.world_size = rank, world_size
    return sampler


def take(sampler, count):
    return list(itertools.islice(iter(sampler), count))


def test_index_is_an_integer_that_survives_a_queue():
    index = SampleIndex(7, (3, 2))
    again = pickle.loads(pickle.dumps(index))
    assert again == 7 and [10, 11, 12, 13, 14, 15, 16, 17][again] == 17
    assert again.stream == (3, 2) and isinstance(again, SampleIndex)


class TestDefault:
    @pytest.mark.parametrize('shuffle', [True, False])
    @pytest.mark.parametrize('ranks', [(0, 1), (0, 3), (2, 3), (12, 25)])  # the last of more processes than samples
    @pytest.mark.parametrize('round_up', [True, False])
    def test_order_is_mmengines(self, shuffle, ranks, round_up, monkeypatch):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda: ranks)
        kinds = (DefaultSampler, mmengine.dataset.DefaultSampler)
        ours, theirs = (kind(range(10), shuffle=shuffle, seed=3, round_up=round_up) for kind in kinds)
        for epoch in range(3):
            ours.set_epoch(epoch)
            theirs.set_epoch(epoch)
            indices = list(ours)
            assert indices == list(theirs)
            assert {index.stream for index in indices} <= {(3, epoch)}

    def test_skips_once(self):
        sampler = make(DefaultSampler)
        whole = list(sampler)
        sampler.skip(4)
        assert list(sampler) == whole[4:]
        assert list(sampler) == whole

    def test_all_may_be_skipped(self):
        sampler = make(DefaultSampler)
        sampler.skip(10)
        assert list(sampler) == []

    def test_epoch_is_that_of_the_start(self):
        sampler = make(DefaultSampler)
        running = iter(sampler)
        sampler.set_epoch(5)
        assert next(running).stream == (3, 0)


@pytest.mark.parametrize('kind', [DefaultSampler, InfiniteSampler])
@pytest.mark.parametrize('shuffle', [True, False])
def test_the_order_is_held_in_few_bytes(kind, shuffle):
    sampler = kind(range(100_000), shuffle=shuffle, seed=3)
    tracemalloc.start()
    next(iter(sampler))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * 100_000


class TestInfinite:
    def test_each_pass_has_every_sample_in_another_order(self):
        indices = take(make(InfiniteSampler), 30)
        passes = [indices[:10], indices[10:20], indices[20:]]
        assert all(sorted(one) == list(range(10)) for one in passes)
        assert passes[0] != passes[1] != passes[2]
        assert [index.stream for index in indices] == [(3, 0)] * 10 + [(3, 1)] * 10 + [(3, 2)] * 10

    def test_without_shuffling(self):
        assert take(make(InfiniteSampler, size=3, shuffle=False), 7) == [0, 1, 2, 0, 1, 2, 0]

    @pytest.mark.parametrize('skip', [0, 1, 9, 10, 11, 37])
    @pytest.mark.parametrize('world_size', [1, 2, 3])
    def test_skipping_goes_on_where_reading_would_have(self, skip, world_size):
        for rank in range(world_size):
            sampler = make(InfiniteSampler, rank=rank, world_size=world_size)
            expected = take(sampler, skip + 15)[skip:]
            sampler.skip(skip)
            found = take(sampler, 15)
            assert found == expected
            assert [index.stream for index in found] == [index.stream for index in expected]

    def test_ranks_share_the_row(self):
        whole = take(make(InfiniteSampler, size=7), 42)
        parts = [take(make(InfiniteSampler, size=7, rank=rank, world_size=3), 14) for rank in range(3)]
        assert [index for step in zip(*parts) for index in step] == whole
