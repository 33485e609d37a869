"""Finding the checkpoint from which a run goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.optim import _ParamScheduler

from mtlbox.engine.checkpoint import CheckpointError, is_resumable, read_checkpoint, read_pointer


def find_checkpoint(work_dir: str | Path, warn: Callable[[str], None]) -> str | None:
    """Return the checkpoint to resume from: the last one that is whole; None where there is none at all.

    A collective operation: rank 0 looks, so that all ranks take the same.

    Args:
        work_dir: Work directory of the run.
        warn: Told of every checkpoint that is passed over, and why.

    Raises:
        CheckpointError: There are checkpoints, but none is whole.
    """
    found: list[str | None] = [None, None]
    if is_main_process():
        try:
            found[0] = _find(Path(work_dir), warn)
        except CheckpointError as error:
            found[1] = str(error)
    broadcast_object_list(found)
    if found[1] is not None:
        raise CheckpointError(found[1])
    return found[0]


def _find(work_dir: Path, warn: Callable[[str], None]) -> str | None:
    refused = []
    for path in candidates(work_dir):
        try:
            checkpoint = read_checkpoint(path)
        except (CheckpointError, OSError) as error:
            refused.append(path)
            warn(f'{error} It is passed over; the checkpoint before it is tried.')
            continue
        if is_resumable(checkpoint):
            return str(path)
        warn(f'{path} holds weights only, not the state of a training; it is passed over.')
    if refused:
        raise CheckpointError(
            f'None of the checkpoints in {work_dir} can be resumed from ({", ".join(p.name for p in refused)}). '
            'To start again, take another --work-dir or leave --resume out.'
        )
    return None


def candidates(work_dir: Path) -> Iterator[Path]:
    """Yield checkpoint files, the likeliest first: that which is named as the last, then by age, youngest first."""
    first = read_pointer(work_dir)
    folders = [work_dir]
    if first is not None:
        yield first
        folders.append(first.parent)
    others = {p.resolve(): p for folder in folders for p in folder.glob('*.pth')}
    for path in sorted(others.values(), key=lambda p: p.stat().st_mtime_ns, reverse=True):
        published = path.name.startswith('best_') or path.name == 'ema.pth'
        if not published and (first is None or path.resolve() != first.resolve()):
            yield path


_MOVING = ('last_step', '_global_step', '_last_value', 'last_value', 'base_values', 'verbose', 'params', 'lr')
"""What a training changes of an optimizer's and a scheduler's state."""
_TELLING = {'momentum', 'dampening', 'nesterov', 'betas', 'alpha', 'centered', 'rho', 'lr_decay', 'lambd'}
"""Settings by which optimizers of different state are told apart, whatever the version of torch."""


def settings(runner: Any) -> dict[str, Any]:
    """Return what the optimizer and the schedulers are set to, by names for messages; without what training changes."""
    found = {}
    for index, group in enumerate(_groups(runner)):
        shown = {'lr': group.get('initial_lr', group.get('lr'))} | {k: v for k, v in group.items() if k not in _MOVING}
        shown.pop('initial_lr', None)
        found.update({f'optim_wrapper.optimizer.{key} (group {index})': value for key, value in shown.items()})
    schedulers = runner.param_schedulers if isinstance(runner.param_schedulers, list) else []
    for index, scheduler in enumerate(schedulers):
        if not isinstance(scheduler, _ParamScheduler):
            continue
        state = {k: v for k, v in scheduler.state_dict().items() if k not in _MOVING}
        found.update({f'param_scheduler.{index}.{key}': value for key, value in state.items()})
    return {key: value for key, value in found.items() if isinstance(value, (bool, int, float, str, tuple, list))}


def require_same_optimizer(runner: Any, saved: Mapping[str, Any], source: str) -> None:
    """Raise :class:`CheckpointError` where the optimizer's state in a checkpoint is that of another kind."""
    own, theirs = ({key for group in groups for key in group} & _TELLING for groups in (_groups(runner), _saved(saved)))
    if own and theirs and own != theirs:
        name = type(runner.optim_wrapper.optimizer).__name__
        raise CheckpointError(
            f'{source} holds the state of another optimizer (with {", ".join(sorted(theirs))}) than '
            f'optim_wrapper.optimizer, {name} (with {", ".join(sorted(own))}). Resume with the config that it was '
            'trained with, or start from its weights: --cfg-options load_from=...'
        )


def _groups(runner: Any) -> list[Mapping[str, Any]]:
    return list(getattr(getattr(runner.optim_wrapper, 'optimizer', None), 'param_groups', ()))


def _saved(state: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    groups = state.get('param_groups')
    return [group for group in groups if isinstance(group, Mapping)] if isinstance(groups, list) else []
