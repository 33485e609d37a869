"""Several data sets as one, and the batches that are made of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, repeat
from math import gcd
from typing import Any

from mmengine.dist import get_rank, get_world_size
from torch.utils.data import Dataset, Sampler

from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.datasets.messages import check_dict, check_whole
from mtlbox.datasets.samplers import DefaultSampler, InfiniteSampler, SampleIndex
from mtlbox.registry import DATA_SAMPLERS, DATASETS, did_you_mean
from mtlbox.tasks import Task


@DATASETS.register_module()
class JointDataset(Dataset):
    """Several data sets, one after the other, each with a name: NYUD and PASCAL-Context, or source and target.

    They serve one model, so each names all of its tasks, and says by ``labels`` which of them it has labels for: none
    with ``labels=[]``, as for the images of a target domain. A packed sample's ``domain`` is the name of its data set,
    and its ``sample_idx`` its number among all samples.

    Args:
        datasets: The data sets by name, built or as configs; their pipelines end with ``PackMultiTaskInputs``.

    Raises:
        ValueError: There is no data set, or two have different tasks.
        TypeError: ``datasets`` is no dict, or one is no ``MultiTaskDataset``.
    """

    def __init__(self, *, datasets: Mapping[str, Mapping | MultiTaskDataset]) -> None:
        if not datasets:
            raise ValueError('JointDataset needs a data set at least: datasets=dict(nyud=..., pascal=...).')
        check_dict('datasets of JointDataset', datasets, 'dict(nyud=..., pascal=...)')
        self.datasets: dict[str, MultiTaskDataset] = {
            name: one if isinstance(one, MultiTaskDataset) else DATASETS.build(dict(one))
            for name, one in datasets.items()
        }
        (first, reference), *_ = self.datasets.items()
        for name, one in self.datasets.items():
            if not isinstance(one, MultiTaskDataset):
                raise TypeError(f'JointDataset: {name!r} must be a MultiTaskDataset, but is a {type(one).__name__}.')
            if list(one.tasks) != list(reference.tasks):
                raise ValueError(
                    f'JointDataset: {name!r} has the tasks {", ".join(one.tasks)}, but {first!r} has '
                    f'{", ".join(reference.tasks)}: each names all tasks of the model, in one order.'
                )
        self._names = list(self.datasets)

    @property
    def tasks(self) -> dict[str, Task]:
        """The model's tasks by key."""
        return self.datasets[self._names[0]].tasks

    @property
    def metainfo(self) -> dict[str, Any]:
        """``tasks``; ``palettes``; ``dataset``; ``datasets``, the metainfo of each by name; ``origin``, likewise."""
        each = {name: one.metainfo for name, one in self.datasets.items()}
        return {
            'tasks': self.tasks,
            'palettes': {key: palette for one in each.values() for key, palette in one['palettes'].items()},
            'dataset': type(self).__name__,
            'datasets': each,
            'origin': {name: one.get('origin') for name, one in each.items()},
        }

    def full_init(self) -> None:
        """Load the lists of samples."""
        for one in self.datasets.values():
            one.full_init()

    @property
    def starts(self) -> list[int]:
        """The number of the first sample of each data set, and how many there are in all."""
        return list(accumulate((len(one) for one in self.datasets.values()), initial=0))

    def __len__(self) -> int:
        return self.starts[-1]

    def place(self, index: int) -> tuple[int, int]:
        """Return which data set sample ``index`` is in, by number, and its number there; -1 is the last one.

        Raises:
            IndexError: There is no such sample.
        """
        starts = self.starts
        if not -starts[-1] <= index < starts[-1]:
            raise IndexError(f'{self!r} has {starts[-1]} samples, but sample {index} is asked for.')
        index %= starts[-1]
        number = bisect_right(starts, index) - 1
        return number, index - starts[number]

    def load_sample(self, index: int) -> dict[str, Any]:
        """Return sample ``index`` as it enters its pipeline, with its ``domain``."""
        number, own = self.place(index)
        name = self._names[number]
        return {**self.datasets[name].load_sample(own), 'domain': name, 'sample_idx': self.starts[number] + own}

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return sample ``index``, read, transformed and packed."""
        number, own = self.place(int(index))
        name, sample_idx = self._names[number], self.starts[number] + own
        if isinstance(index, SampleIndex):
            own = SampleIndex(own, (*index.stream[:2], number))
        packed = self.datasets[name][own]
        if not isinstance(packed, dict) or 'data_samples' not in packed:
            raise ValueError(f'{self.datasets[name]!r}: its pipeline must end with PackMultiTaskInputs.')
        packed['data_samples'].set_metainfo({'domain': name, 'sample_idx': sample_idx})
        return packed

    def __repr__(self) -> str:
        return f'{type(self).__name__}({", ".join(f"{name}={one!r}" for name, one in self.datasets.items())})'


def _joint(sampler: Any, asker: object) -> JointDataset:
    dataset = getattr(sampler, 'dataset', None)
    if not isinstance(dataset, JointDataset):
        raise ValueError(f'{type(asker).__name__} makes batches of a JointDataset, not of {type(dataset).__name__}.')
    return dataset


def interleave(ratios: Sequence[int]) -> list[int]:
    """Return a cycle in which number i is ``ratios[i]`` times (their common divisor left out), spread evenly."""
    shares = [ratio // gcd(*ratios) for ratio in ratios]
    credit = [0] * len(shares)
    cycle = []
    for _ in range(sum(shares)):
        credit = [have + share for have, share in zip(credit, shares)]
        chosen = max(range(len(shares)), key=credit.__getitem__)  # of equals the first
        credit[chosen] -= sum(shares)
        cycle.append(chosen)
    return cycle


@DATA_SAMPLERS.register_module()
class JointBatchSampler(Sampler[list[int]]):
    """Batches of a JointDataset of declared kinds, in a fixed turn, so that all ranks draw the same kind in a step.

    By default the kinds are one data set each, and take turns. ``batches=dict(both=dict(source=2, target=2))`` is a
    kind that has samples of two. Each data set goes on from pass to pass, each shuffled anew, whatever the others do.
    Which samples step t has follows from t, so that a run can go on anywhere at no cost.

    An epoch is as long as the data set takes that is through last; the others are seen more than once in it.

    Args:
        sampler: A DefaultSampler of the data set, for seed, epoch and whether to shuffle; given by the loader.
        batch_size: Samples of a batch, on one rank; given by the loader.
        batches: The kinds by name: how many samples a batch has of each data set, ``batch_size`` together.
        ratios: How often each kind is drawn, as whole numbers by name; equally often where not given.
        epoch_length: Batches in an epoch, in place of the rule above.

    Raises:
        ValueError: The data set is no JointDataset, or the sampler no DefaultSampler; a name is unknown; a data set is
            in no batch; a batch has another size than ``batch_size``; or a number is none from 1.
        TypeError: ``batches``, one of them or ``ratios`` is no dict.
    """

    def __init__(
        self,
        *,
        sampler: DefaultSampler,
        batch_size: int,
        batches: Mapping[str, Mapping[str, int]] | None = None,
        ratios: Mapping[str, int] | None = None,
        epoch_length: int | None = None,
    ) -> None:
        self.dataset, self.sampler, self.batch_size = _joint(sampler, self), sampler, batch_size
        if not isinstance(sampler, DefaultSampler):
            raise ValueError(f'JointBatchSampler asks a DefaultSampler for the epoch, not a {type(sampler).__name__}.')
        self.rank, self.world_size = get_rank(), get_world_size()
        self._skip = 0
        check_whole('JointBatchSampler: batch_size', batch_size)
        if batches is not None:
            check_dict('batches of JointBatchSampler', batches, 'dict(both=dict(source=2, target=2))')
        if ratios is not None:
            check_dict('ratios of JointBatchSampler', ratios, 'dict(nyud=1, pascal=3)')
        names = list(self.dataset.datasets)
        kinds = {name: {name: batch_size} for name in names} if batches is None else dict(batches)
        self._check_kinds(kinds, names)
        shares = dict.fromkeys(kinds, 1) if ratios is None else dict(ratios)
        for name in (*shares, *kinds):
            if name not in kinds or name not in shares:
                raise ValueError(f'ratios names {", ".join(shares)}, but the batches are {", ".join(kinds)}.')
        for kind, number in shares.items():
            check_whole(f'JointBatchSampler: ratios.{kind}', number)
        self._cycle = [list(kinds.values())[i] for i in interleave([shares[name] for name in kinds])]
        self._taken = {  # samples of a rank, after so many steps of the cycle
            name: list(accumulate((kind.get(name, 0) for kind in self._cycle), initial=0)) for name in names
        }
        if epoch_length is not None:
            check_whole('JointBatchSampler: epoch_length', epoch_length)
        self._epoch_length = epoch_length

    def _check_kinds(self, kinds: Mapping[str, Mapping[str, int]], names: Sequence[str]) -> None:
        for kind, counts in kinds.items():
            check_dict(f'batches.{kind} of JointBatchSampler', counts, 'dict(source=2, target=2)')
            for name, count in counts.items():
                if name not in names:
                    near = did_you_mean(str(name), names)
                    raise ValueError(f'JointBatchSampler: batches.{kind} names {name!r}, which is no data set.{near}')
                check_whole(f'JointBatchSampler: batches.{kind}.{name}', count)
            if sum(counts.values()) != self.batch_size:
                raise ValueError(
                    f'JointBatchSampler: batches.{kind} has {sum(counts.values())} samples, but batch_size is '
                    f'{self.batch_size}.'
                )
        for name in names:
            if not any(name in counts for counts in kinds.values()):
                raise ValueError(f'JointBatchSampler: the data set {name!r} is in none of the batches.')

    def skip(self, batches: int) -> None:
        """Let the next iteration begin after the first ``batches`` batches of the epoch; those after it do not."""
        self._skip = batches

    def taken(self, name: str, steps: int) -> int:
        """Return how many samples of a data set a rank has taken in ``steps`` batches, from the start of training."""
        taken = self._taken[name]
        cycles, rest = divmod(steps, len(self._cycle))
        return cycles * taken[-1] + taken[rest]

    def __len__(self) -> int:
        if self._epoch_length is not None:
            return self._epoch_length
        return max(self._pass(name) for name in self.dataset.datasets)

    def _pass(self, name: str) -> int:
        """Return after how many batches all ranks together have taken each sample of a data set."""
        taken, needed = self._taken[name], -(-len(self.dataset.datasets[name]) // self.world_size)
        cycles = (needed - 1) // taken[-1]
        return cycles * len(self._cycle) + bisect_left(taken, needed - cycles * taken[-1])

    def __iter__(self) -> Iterator[list[int]]:
        return self._of_epoch(self.sampler.epoch)

    def _of_epoch(self, epoch: int) -> Iterator[list[int]]:
        """Yield the batches of an epoch, less those to skip.

        They are skipped by whoever takes a batch first: a loader with workers makes two iterators and drops one.
        """
        skip, self._skip = self._skip, 0
        start = epoch * len(self)
        yield from self._between(start + skip, start + len(self))

    def _between(self, first: int, last: int) -> Iterator[list[int]]:
        """Yield the batches of the steps ``first`` to ``last``, counted from the start of training."""
        rows = {}
        for number, (name, start) in enumerate(zip(self.dataset.datasets, self.dataset.starts)):
            row = InfiniteSampler(self.dataset.datasets[name], shuffle=self.sampler.shuffle, seed=self.sampler.seed)
            row.rank, row.world_size = self.rank, self.world_size
            row.skip(self.taken(name, first))
            rows[name] = map(_moved, row, repeat(start), repeat(number))
        for step in range(first, last):
            kind = self._cycle[step % len(self._cycle)]
            yield [next(rows[name]) for name, count in kind.items() for _ in range(count)]


def _moved(index: SampleIndex, start: int, number: int) -> SampleIndex:
    return SampleIndex(start + index, (*index.stream, number))


@DATA_SAMPLERS.register_module()
class UnmixedBatchSampler(Sampler[list[int]]):
    """Batches for evaluation: consecutive samples of a JointDataset, never of two data sets in one.

    Data sets of different sizes are so not padded to each other's. The order is the sampler's, so that the copies which
    it adds for the sake of several ranks are told by their place; a rank may have a batch more than another.

    Args:
        sampler: A sampler of the data set in order; given by the loader.
        batch_size: Most samples of a batch; given by the loader.

    Raises:
        ValueError: The data set is no JointDataset.
    """

    def __init__(self, *, sampler: DefaultSampler, batch_size: int) -> None:
        self.dataset, self.sampler, self.batch_size = _joint(sampler, self), sampler, batch_size

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        current = -1
        for index in self.sampler:
            number, _ = self.dataset.place(index)
            if batch and (number != current or len(batch) == self.batch_size):
                yield batch
                batch = []
            batch.append(index)
            current = number
        if batch:
            yield batch

    def __len__(self) -> int:
        return sum(1 for _ in self)
