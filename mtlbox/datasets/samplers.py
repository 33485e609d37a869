"""Samplers that can begin anywhere, and that tell the data set what a sample's randomness is drawn from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import torch
from mmengine.dataset import DefaultSampler as MMEngineDefaultSampler
from mmengine.dataset import InfiniteSampler as MMEngineInfiniteSampler

from mtlbox.registry import DATA_SAMPLERS


class SampleIndex(int):
    """The number of a sample, with the seed and the epoch that its augmentation is drawn from.

    It passes the queue to a worker process like any integer; that is how a persistent worker knows the epoch.

    Args:
        index: Number of the sample.
        stream: (seed, epoch), and in a JointDataset the number of the data set.
    """

    stream: tuple[int, ...]

    def __new__(cls, index: int, stream: tuple[int, ...]) -> SampleIndex:
        """Make one."""
        made = super().__new__(cls, index)
        made.stream = stream
        return made

    def __getnewargs__(self) -> tuple[int, tuple[int, ...]]:  # type: ignore[override]
        return int(self), self.stream


@DATA_SAMPLERS.register_module()
class DefaultSampler(MMEngineDefaultSampler):
    """mmengine's sampler for epochs, in the same order, that can leave out the first samples of an epoch.

    Args:
        dataset, shuffle, seed, round_up: As in mmengine.
    """

    _skip = 0

    def skip(self, samples: int) -> None:
        """Let the next iteration begin after the first ``samples`` samples of this rank; those after it do not."""
        self._skip = samples

    def __iter__(self) -> Iterator[SampleIndex]:
        skip, self._skip = self._skip, 0
        stream = (self.seed, self.epoch)
        return (SampleIndex(index, stream) for index in islice(super().__iter__(), skip, None))


@DATA_SAMPLERS.register_module()
class InfiniteSampler(MMEngineInfiniteSampler):
    """An endless sampler for training by iterations: pass after pass over the data, each in an order of its own.

    Unlike mmengine's, the order of a pass follows from seed and number of the pass alone, so that it can begin
    anywhere at no cost.

    Args:
        dataset, shuffle, seed: As in mmengine.
    """

    _skip = 0

    def skip(self, samples: int) -> None:
        """Let the next iteration begin after the first ``samples`` samples of this rank; those after it do not."""
        self._skip = samples

    def __iter__(self) -> Iterator[SampleIndex]:
        skip, self._skip = self._skip, 0
        return self._from(self.rank + skip * self.world_size)

    def _from(self, position: int) -> Iterator[SampleIndex]:
        """Yield every ``world_size``-th sample of the endless row from ``position`` on."""
        while True:
            number, offset = divmod(position, self.size)
            stream = (self.seed, number)
            order = self._order(number)
            for index in order[offset :: self.world_size]:
                yield SampleIndex(index, stream)
            position += len(range(offset, self.size, self.world_size)) * self.world_size

    def _order(self, number: int) -> list[int]:
        if not self.shuffle:
            return list(range(self.size))
        return torch.randperm(self.size, generator=torch.Generator().manual_seed(self.seed + number)).tolist()
