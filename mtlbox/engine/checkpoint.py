"""Reading checkpoints without executing them, and refusing those of another model.

A checkpoint is read with ``weights_only=True`` on every version of torch. Ours hold tensors and plain values only
(:class:`~mtlbox.engine.hooks.PlainCheckpointHook`). Those of mmengine also hold its history buffers, for which
inert stand-ins are put in; any other pickled object is refused.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mtlbox.registry import did_you_mean


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read, or does not fit the model."""


class _Inert:
    """Stands in for a foreign object in a checkpoint: takes any state and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


def _inert(*args: Any, **kwargs: Any) -> _Inert:
    """Stands in for a foreign function in a checkpoint."""
    return _Inert()


_STAND_INS: list[tuple[Any, str]] = [
    (_Inert, 'mmengine.logging.history_buffer.HistoryBuffer'),
    (_inert, 'builtins.getattr'),
    (_inert, 'numpy._core.multiarray._reconstruct'),
    (_inert, 'numpy.core.multiarray._reconstruct'),
    (_inert, 'numpy._core.multiarray.scalar'),
    (_inert, 'numpy.core.multiarray.scalar'),
    (_Inert, 'numpy.ndarray'),
    (_Inert, 'numpy.dtype'),
]


def read_checkpoint(path: str | Path, map_location: Any = 'cpu') -> dict[str, Any]:
    """Read a checkpoint file; nothing in it is executed.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It is damaged, holds objects other than tensors and plain values, or is no dict.
    """
    path = Path(path)
    if not path.is_file():
        others = [str(p) for p in path.parent.glob('*.pth')] if path.parent.is_dir() else []
        raise FileNotFoundError(f'There is no checkpoint {path}.{did_you_mean(str(path), others)}')
    try:
        checkpoint = _load(path, map_location)
    except pickle.UnpicklingError as error:
        culprit = re.search(r'GLOBAL (\S+)', str(error))
        raise CheckpointError(
            f'{path} is refused: it holds more than tensors and plain values'
            f'{f" ({culprit[1]})" if culprit else ""}, or is no checkpoint.'
        ) from error
    except Exception as error:  # damaged bytes end in any exception, IndexError and KeyError included
        raise CheckpointError(f'{path} is damaged or is no checkpoint of torch: {error}') from error
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f'{path} holds a {type(checkpoint).__name__}, but a checkpoint is a dict.')
    return checkpoint


def _load(path: Path, map_location: Any) -> Any:
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError:
        safe_globals = getattr(torch.serialization, 'safe_globals', None)
        if safe_globals is None:  # before torch 2.5
            raise
        with safe_globals(_STAND_INS):
            return torch.load(path, map_location=map_location, weights_only=True)


def weights_of(checkpoint: Mapping[str, Any], *, ema: bool = False) -> dict[str, Tensor]:
    """Return the weights in a checkpoint, without a wrapper's ``module.`` prefix.

    Args:
        checkpoint: What :func:`read_checkpoint` returned.
        ema: Return the averaged weights.

    Raises:
        CheckpointError: Averaged weights are asked for and there are none.
    """
    if ema:
        if 'ema_state_dict' not in checkpoint:
            raise CheckpointError(
                'The checkpoint holds no averaged weights; they are kept by a run with '
                "custom_hooks = [dict(type='EMAHook')]."
            )
        return {
            k.removeprefix('module.'): v for k, v in checkpoint['ema_state_dict'].items() if k.startswith('module.')
        }
    state = checkpoint.get('state_dict', checkpoint)
    return {key.removeprefix('module.'): value for key, value in state.items()}


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Load ``weights`` into ``model``, all of them and no others.

    Raises:
        CheckpointError: Weights are missing, left over or of another shape; some of each are named.
    """
    missing, unexpected, problems = _load_state(model, weights)
    if not (missing or unexpected or problems):
        return
    parts = []
    if missing:
        parts.append(f'{len(missing)} weights of the model are not in it ({_some(missing)})')
    if unexpected:
        parts.append(f'{len(unexpected)} of its weights are not in the model ({_some(unexpected)})')
    if problems:
        parts.append(f'it does not fit: {problems}')
    raise CheckpointError(
        f'{source} is the checkpoint of another architecture: {"; ".join(parts)}. '
        'Give the config that it was trained with (a copy lies in its work_dir).'
    )


def _load_state(model: nn.Module, weights: Mapping[str, Tensor]) -> tuple[list[str], list[str], str]:
    try:
        result = model.load_state_dict(dict(weights), strict=False)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).split('\n')[1:] if line.strip()] or [str(error)]
        return [], [], ' '.join(lines[:3])
    return list(result.missing_keys), list(result.unexpected_keys), ''


def _some(names: list[str]) -> str:
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')
