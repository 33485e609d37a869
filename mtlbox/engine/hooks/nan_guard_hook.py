"""A run stops at the first loss that is NaN or infinite, and leaves what is needed to repeat the step."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mtlbox.engine.hooks.plain_checkpoint_hook import plain
from mtlbox.engine.rng import rng_state
from mtlbox.registry import HOOKS
from mtlbox.structures import MTLDataSample


class NonFiniteLossError(FloatingPointError):
    """A loss that is NaN or infinite."""


@HOOKS.register_module()
class NanGuardHook(Hook):
    """Stops all ranks where the total loss of one of them is NaN or infinite, before any weight has changed.

    The error names the parts of the loss that are not finite, with their tasks, and the iteration. Each rank leaves
    ``nonfinite_iter_{n}/rank_{r}.pth`` in the work directory: its batch, the weights, buffers, random state,
    optimiser state and accumulated gradients from before the step, as tensors and plain values;
    ``tools/replay_step.py`` repeats the step from them.

    The total is looked at once per step, as the models log it: its mean over the ranks. Gradients that overflow under
    float16's loss scaling are not its business: the scaler leaves that step out.

    Args:
        dump: Whether to leave the files.
    """

    priority = 'VERY_LOW'  # the last one before the step: what other hooks draw is drawn by then

    def __init__(self, *, dump: bool = True) -> None:
        self.dump = dump
        self._runner: Any = None
        self._batch: Any = None
        self._buffers: dict[str, Tensor] = {}
        self._rng: dict[str, Any] = {}

    def before_train(self, runner: Runner) -> None:
        """Begin to watch."""
        self._runner = runner
        observers = getattr(_model(runner), 'loss_observers', None)
        if observers is None:
            runner.logger.warning('NanGuardHook watches models with loss_observers only; this one has none.')
        elif self._check not in observers:
            observers.append(self._check)

    def after_train(self, runner: Runner) -> None:
        """Stop watching."""
        observers = getattr(_model(runner), 'loss_observers', [])
        if self._check in observers:
            observers.remove(self._check)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Keep what the step is about to change."""
        if not self.dump:
            return
        self._batch = data_batch
        self._rng = rng_state()
        current = dict(_model(runner).named_buffers())
        if self._buffers.keys() != current.keys():
            self._buffers = {key: value.detach().clone() for key, value in current.items()}
        elif current:
            copy = getattr(
                torch, '_foreach_copy_', None
            )  # one kernel for hundreds of small tensors, torch 2.1 or newer
            if copy is not None:
                copy(list(self._buffers.values()), list(current.values()))
            else:
                for key, value in current.items():
                    self._buffers[key].copy_(value)

    def _check(self, logs: Mapping[str, Tensor]) -> None:
        if math.isfinite(float(logs['loss'])):
            return
        runner = self._runner
        values = {key: float(value) for key, value in logs.items()}
        message = f'The loss is {values["loss"]:g} at iteration {runner.iter + 1} (epoch {runner.epoch + 1}): '
        message += describe(values) + '. No weight was changed by this step.'
        if self.dump:
            folder = Path(runner.work_dir, f'nonfinite_iter_{runner.iter + 1}')
            try:
                self._write(runner, folder / f'rank_{get_rank()}.pth', values)
                message += f' Repeat it: python tools/replay_step.py {runner.cfg.filename or "CONFIG"} {folder}'
            except OSError as error:
                message += f' It cannot be repeated, since writing {folder} failed: {error}.'
            barrier()  # the first rank to end takes the others along
        raise NonFiniteLossError(message)

    def _write(self, runner: Runner, path: Path, values: dict[str, float]) -> None:
        model, cast = _model(runner), getattr(runner.optim_wrapper, 'cast_dtype', None)
        weights = model.state_dict()
        dump = {
            'iter': runner.iter,
            'epoch': runner.epoch,
            'rank': get_rank(),
            'world_size': get_world_size(),
            'threads': torch.get_num_threads(),
            'deterministic': torch.are_deterministic_algorithms_enabled(),
            'autocast': None if cast is None else str(cast).removeprefix('torch.'),
            'tasks': list(getattr(model, 'tasks', ())),
            'losses': values,
            'batch': pack_batch(self._batch),
            'state_dict': {key: self._buffers.get(key, value) for key, value in weights.items()},
            'optimizer': plain(runner.optim_wrapper.state_dict()),
            'gradients': {k: p.grad for k, p in model.named_parameters() if p.grad is not None},
            'rng': self._rng,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix('.tmp')
        with temporary.open('wb') as file:
            torch.save(dump, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


def describe(values: Mapping[str, float]) -> str:
    """Say which parts of a logged loss are not finite, and of which tasks they are."""
    parts = {key: value for key, value in values.items() if key != 'loss' and not math.isfinite(value)}
    if not parts:
        return 'every part of it is finite, but not their sum'
    listed = ', '.join(f'{key} is {value:g}' for key, value in parts.items())
    tasks = sorted({key.split('/')[0] for key in parts})
    return f'{listed} (of {", ".join(tasks)})'


def pack_batch(batch: Mapping[str, Any]) -> dict[str, Any]:
    """Return a batch of the data loader as tensors and plain values."""
    samples = []
    for sample in batch.get('data_samples') or ():
        maps = {key: {'data': item.data, 'labelled': item.labelled} for key, item in sample.gt.items()}
        samples.append({'meta': plain(dict(sample.metainfo_items())), 'gt': maps})
    return {'inputs': plain(batch['inputs']), 'data_samples': samples}


def unpack_batch(packed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what :func:`pack_batch` was given."""
    samples = []
    for item in packed['data_samples']:
        sample = MTLDataSample(metainfo=dict(item['meta']))
        maps = {key: entry['data'] for key, entry in item['gt'].items()}
        sample.set_maps('gt', maps, {key: entry['labelled'] for key, entry in item['gt'].items()})
        samples.append(sample)
    return {'inputs': packed['inputs'], 'data_samples': samples}


def _model(runner: Runner) -> nn.Module:
    return getattr(runner.model, 'module', runner.model)
