"""Samplers that can begin anywhere, and that tell the data set what a sample's randomness is drawn from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from mmengine.dataset import DefaultSampler as MMEngineDefaultSampler
from mmengine.dataset import InfiniteSampler as MMEngineInfiniteSampler

from mtlbox.registry import DATA_SAMPLERS
from mtlbox.tasks.base import Array


class SampleIndex(int):
    """The number of a sample, with the seed and the epoch that its augmentation is drawn from.

    It passes the queue to a worker process like any integer; that is how a persistent worker knows the epoch.

    Args:
        index: Number of the sample.
        stream: (seed, epoch), and in a JointDataset the number of the data set.
    """

    stream: tuple[int, ...]

    def __new__(cls, index: int | np.integer, stream: tuple[int, ...]) -> SampleIndex:
        """Make one."""
        made = super().__new__(cls, index)
        made.stream = stream
        return made

    def __getnewargs__(self) -> tuple[int, tuple[int, ...]]:  # type: ignore[override]
        return int(self), self.stream


def _order(size: int, seed: int | None) -> range | Array:
    """Return the numbers below ``size``, shuffled where a ``seed`` is given, as small as they can be held."""
    if seed is None:
        return range(size)
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed)).numpy()
    return order.astype(np.uint32) if size <= 2**32 else order


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
        size, stream = len(self.dataset), (self.seed, self.epoch)
        order = _order(size, self.seed + self.epoch if self.shuffle else None)
        places = range(self.rank, self.total_size, self.world_size)[skip:]
        return (SampleIndex(order[place % size], stream) for place in places)  # rounded up by the first ones


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
            order = _order(self.size, self.seed + number if self.shuffle else None)
            for place in range(offset, self.size, self.world_size):
                yield SampleIndex(order[place], stream)
            position += len(range(offset, self.size, self.world_size)) * self.world_size
