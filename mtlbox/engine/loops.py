"""Training loops that go on in the middle: the same batches, the same random numbers, the same validations.

What the random generators give depends on the training steps alone. Making a data loader's iterator and validating
leave them as they were, so that a resumed run, which does the one again and perhaps the other, draws what an
undisturbed one draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.dataset import InfiniteSampler as MMEngineInfiniteSampler
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import BaseLoop, Runner
from mmengine.runner import EpochBasedTrainLoop as MMEngineEpochBasedTrainLoop
from mmengine.runner import IterBasedTrainLoop as MMEngineIterBasedTrainLoop
from mmengine.runner.utils import calc_dynamic_intervals
from torch import nn
from torch.utils.data import BatchSampler, DataLoader

from mtlbox.engine.rng import keep_rng, rng_state, set_rng_state
from mtlbox.registry import LOOPS


def at_boundary(wrapper: OptimWrapper | OptimWrapperDict) -> bool:
    """Say whether the optimizer has just stepped, so that no accumulated gradient would be missing in a checkpoint."""
    if isinstance(wrapper, OptimWrapperDict):
        return all(member.should_update() for member in wrapper.values())
    return wrapper.should_update()


class _Resumable:
    """What both loops share: where they are, and how they get there again."""

    runner: Any
    dataloader: DataLoader
    _epoch: int
    _iter: int
    _consumed = 0
    """Batches that were taken from the current pass over the data."""
    _validated = -1
    """Iteration of the last validation."""
    _kept_rng: Mapping[str, Any] | None = None
    """The generators' states that training goes on with, while something else uses them."""
    _pending_rng: Mapping[str, Any] | None = None
    """The generators' states of a checkpoint, to be put in place once there is a batch to train on."""

    @property
    def _sampler(self) -> Any:
        """What knows seed and epoch: the sampler, also where a batch sampler asks it."""
        return getattr(self.dataloader.batch_sampler, 'sampler', self.dataloader.sampler)

    def progress(self) -> dict[str, Any]:
        """Return where the loop is, for a checkpoint."""
        return {
            'consumed': self._consumed,
            'batches': len(self.dataloader),
            'validated': self._validated,
            'sampler_seed': getattr(self._sampler, 'seed', None),
        }

    def training_rng(self) -> Mapping[str, Any]:
        """Return the states of the random generators that the next training step finds."""
        return self._pending_rng or self._kept_rng or rng_state()

    def restore(self, progress: Mapping[str, Any], rng: Mapping[str, Any] | None) -> None:
        """Go to where a checkpoint was written.

        Args:
            progress: What :meth:`progress` gave.
            rng: What :meth:`training_rng` gave; None where it is not known.
        """
        self._validated = progress['validated']
        self._pending_rng = rng
        if progress['sampler_seed'] is not None and hasattr(self._sampler, 'seed'):
            self._sampler.seed = progress['sampler_seed']
        self._consumed = progress['consumed']
        if progress['batches'] != len(self.dataloader):
            self.runner.logger.warning(
                f'The data loader has {len(self.dataloader)} batches, but had {progress["batches"]} when the '
                'checkpoint was written: the run goes on with other batches than it would have had.'
            )
            self._consumed = min(self._consumed, len(self.dataloader))

    def _open(self, consumed: int) -> Iterator[Any]:
        """Return an iterator over the batches after the first ``consumed`` ones, which are not read where possible."""
        with keep_rng():
            if consumed and not self._skip(consumed):
                self.runner.logger.warning(
                    f'{self._order()} cannot skip samples: {consumed} batches that were '
                    "trained on already are read again. mtlbox's DefaultSampler and InfiniteSampler can skip."
                )
                iterator = iter(self.dataloader)
                for _ in range(consumed):
                    next(iterator)
            else:
                iterator = iter(self.dataloader)
        if self._pending_rng is not None:
            set_rng_state(self._pending_rng)
            self._pending_rng = None
        return iterator

    def _order(self) -> str:
        """Return the name of what decides which samples a batch has."""
        batch_sampler = self.dataloader.batch_sampler
        return type(self._sampler if type(batch_sampler) is BatchSampler else batch_sampler).__name__

    def _skip(self, batches: int) -> bool:
        batch_sampler: Any = self.dataloader.batch_sampler
        if type(batch_sampler) is BatchSampler:
            if not hasattr(batch_sampler.sampler, 'skip'):
                return False
            batch_sampler.sampler.skip(batches * batch_sampler.batch_size)
            return True
        if not hasattr(batch_sampler, 'skip'):
            return False
        batch_sampler.skip(batches)
        return True

    def _validate(self) -> None:
        """Validate, and leave the random generators alone."""
        self._validated = self._iter
        with keep_rng() as state:
            self._kept_rng = state
            self.runner.val_loop.run()
        self._kept_rng = None

    def _stop_if_asked(self) -> None:
        """Write a checkpoint and leave, if a signal asks for it and no gradient would be lost."""
        if at_boundary(self.runner.optim_wrapper):
            self.runner.stop_if_asked()


@LOOPS.register_module()
class EpochBasedTrainLoop(_Resumable, MMEngineEpochBasedTrainLoop):
    """Training by epochs that can be resumed anywhere in an epoch.

    Args:
        kwargs: As in mmengine: ``max_epochs``, ``val_begin``, ``val_interval``, ``dynamic_intervals``.
    """

    def run(self) -> nn.Module:
        """Train."""
        self.runner.call_hook('before_train')
        if self._epoch > 0 and self._consumed == 0 and self._validated < self._iter:
            self._validate_if_due()  # the run was cut off between the checkpoint of an epoch and its validation
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train for an epoch, or for what is left of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        start = self._consumed
        for index, batch in enumerate(self._open(start), start):
            self.run_iter(index, batch)
        self._consumed = 0
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Sequence[dict]) -> None:
        """Take a step."""
        self._consumed = idx + 1
        super().run_iter(idx, data_batch)
        self._stop_if_asked()

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        if self.runner.val_loop is not None and self._epoch >= self.val_begin and due:
            self._validate()


@LOOPS.register_module()
class IterBasedTrainLoop(_Resumable, MMEngineIterBasedTrainLoop):
    """Training by iterations that can be resumed anywhere. Any sampler will do; a finite one starts again.

    Args:
        runner: The runner.
        dataloader: Data loader or its config.
        max_iters: How many steps to take.
        val_begin: Iteration from which on there are validations.
        val_interval: Iterations between two.
        dynamic_intervals: As in mmengine.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        max_iters: int,
        val_begin: int = 1,
        val_interval: int = 1000,
        dynamic_intervals: list[tuple[int, int]] | None = None,
    ) -> None:
        # not mmengine's constructor, which starts to read data before it is known where to go on
        BaseLoop.__init__(self, runner, dataloader)
        if int(max_iters) != max_iters:
            raise ValueError(f'max_iters must be a whole number, but is {max_iters!r}.')
        self._max_iters, self._max_epochs = int(max_iters), 1
        self._epoch = self._iter = 0
        self.val_begin, self.val_interval = val_begin, val_interval
        self.stop_training = False
        self.runner.visualizer.dataset_meta = getattr(self.dataloader.dataset, 'metainfo', None)
        self.dynamic_milestones, self.dynamic_intervals = calc_dynamic_intervals(val_interval, dynamic_intervals)

    def run(self) -> nn.Module:
        """Train."""
        self.runner.call_hook('before_train')
        self.runner.call_hook('before_train_epoch')
        if self._iter > 0 and self._validated < self._iter:
            self._validate_if_due()  # the run was cut off between a checkpoint and its validation
        batches = self._batches()
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(batches))
            self._validate_if_due()
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_iter(self, data_batch: Sequence[dict]) -> None:
        """Take a step."""
        super().run_iter(data_batch)
        self._stop_if_asked()

    def _batches(self) -> Iterator[Any]:
        """Yield batches without end, from the current one on."""
        sampler = self._sampler
        number, consumed = 0, self._iter
        if not isinstance(sampler, MMEngineInfiniteSampler):
            number, consumed = divmod(self._iter, len(self.dataloader))
        while True:
            if hasattr(sampler, 'set_epoch'):
                sampler.set_epoch(number)
            yield from self._open(consumed)
            number, consumed = number + 1, 0

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
        if self.runner.val_loop is not None and self._iter >= self.val_begin and due:
            self._validate()
