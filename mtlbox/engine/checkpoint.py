"""Checkpoint files: written so that none is ever lost, read without executing them, refused where they do not fit.

A checkpoint is read with ``weights_only=True`` on every version of torch. Ours hold tensors and plain values only
(:class:`~mtlbox.engine.hooks.PlainCheckpointHook`). Those of mmengine also hold its history buffers, for which
inert stand-ins are put in; any other pickled object is refused.

A checkpoint is written under another name, brought to the disk, and renamed: under its own name there is the whole
file or none.
"""

from __future__ import annotations

import errno
import os
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mtlbox.registry import did_you_mean
from mtlbox.version import __version__

POINTER = 'last_checkpoint'
"""Name of the text file in a work directory that holds the path of the last checkpoint."""
TEMPORARY = '.tmp'
"""What the name of a file that is being written ends in."""
TRAINING = ('iter', 'seed', 'commit', 'world_size', 'trained_on', 'ema')
"""Keys of a checkpoint's ``meta`` that say how its weights came to be; ``trained_on`` is the origin of the training
data, ``ema`` whether they are averages."""


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read, or does not fit the model."""


class _Inert:
    """Stands in for a foreign object or function in a checkpoint: takes any arguments and state and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


def _stand_in(path: str) -> type[_Inert]:
    """Return an inert class that goes by the name ``path``, which is how torch looks it up."""
    module, _, name = path.rpartition('.')
    return type(name, (_Inert,), {'__module__': module, '__qualname__': name})


_STAND_INS = [
    _stand_in(path)
    for path in (
        'mmengine.logging.history_buffer.HistoryBuffer',
        'builtins.getattr',
        'numpy._core.multiarray._reconstruct',
        'numpy.core.multiarray._reconstruct',
        'numpy._core.multiarray.scalar',
        'numpy.core.multiarray.scalar',
        'numpy.ndarray',
        'numpy.dtype',
    )
]


def read_checkpoint(path: str | Path, map_location: Any = 'cpu') -> dict[str, Any]:
    """Read a checkpoint file; nothing in it is executed. Damage in one of ours is found by its checksums.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It is damaged, holds objects other than tensors and plain values, or is no dict.
    """
    path = Path(path)
    if not path.is_file():
        others = [str(p) for p in path.parent.glob('*.pth') if p.is_file()] if path.parent.is_dir() else []
        kind = ', which is a folder' if path.is_dir() else ''
        raise FileNotFoundError(f'There is no checkpoint {path}{kind}.{did_you_mean(str(path), others)}')
    try:
        checkpoint = _load(path, map_location)
    except CheckpointError:
        raise
    except pickle.UnpicklingError as error:
        culprit = re.search(r'(?:GLOBAL|Unsupported class) (\S+)', str(error))
        raise CheckpointError(
            f'{path} is refused: it holds more than tensors and plain values'
            f'{f" ({culprit[1]})" if culprit else ""}, or is no checkpoint.'
        ) from error
    except Exception as error:  # damaged bytes end in any exception, IndexError and KeyError included
        raise CheckpointError(f'{path} is damaged or is no checkpoint of torch: {_damage(path, error)}') from error
    if not isinstance(checkpoint, dict):
        raise CheckpointError(f'{path} holds a {type(checkpoint).__name__}, but a checkpoint is a dict.')
    if zipfile.is_zipfile(path):
        _check_sums(path)
    return checkpoint


def _damage(path: Path, error: Exception) -> str:
    """Say what is wrong with a file; torch's own advice would be to execute it."""
    if not path.stat().st_size:
        return 'it is empty (0 bytes).'
    with path.open('rb') as file:
        head = file.read(1 << 12)
    if not any(head):
        return 'it begins with zeros.'
    if 'TorchScript' in str(error):
        return 'it is a TorchScript archive, a program.'
    if 'weights_only' in str(error):
        return 'its bytes are neither a zip archive nor a plain pickle.'
    return str(error)


def is_ours(checkpoint: Mapping[str, Any]) -> bool:
    """Say whether :func:`write_checkpoint` has written it."""
    return isinstance(checkpoint.get('meta'), Mapping) and 'mtlbox_version' in checkpoint['meta']


def training_of(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """How the weights of a checkpoint came to be, by the keys ``TRAINING``; None each where it does not say."""
    meta = checkpoint.get('meta')
    said = meta if isinstance(meta, Mapping) else {}
    return {key: said.get(key) for key in TRAINING}


def is_resumable(checkpoint: Mapping[str, Any]) -> bool:
    """Say whether it holds the state of a training beside the weights."""
    return all(isinstance(checkpoint.get(part), Mapping) for part in ('meta', 'message_hub', 'optimizer', 'state_dict'))


def _load(path: Path, map_location: Any) -> Any:
    if path.suffix == '.safetensors':
        return _load_safetensors(path)
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        safe_globals = getattr(torch.serialization, 'safe_globals', None)
        if safe_globals is None:
            if any(f'{cls.__module__}.{cls.__qualname__}' in str(error) for cls in _STAND_INS):
                raise CheckpointError(
                    f"{path} holds mmengine's or NumPy's objects beside the weights. torch {torch.__version__} cannot "
                    'read it without executing it: use torch 2.5 or newer, or turn it into plain weights there by '
                    'tools/publish_model.py.'
                ) from error
            raise
        with safe_globals(_STAND_INS):
            return torch.load(path, map_location=map_location, weights_only=True)


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise CheckpointError(f'{path} needs the package safetensors: pip install "mtlbox[publish]"') from error
    return load_file(path)


def _check_sums(path: Path) -> None:
    """Compare the contents of a zip archive with its checksums, which torch does not."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError) as error:
        raise CheckpointError(f'{path} is damaged: {error}') from error
    if damaged is not None:
        raise CheckpointError(f'{path} is damaged: the checksum of {damaged} in it is wrong.')


def write_checkpoint(checkpoint: dict[str, Any], path: str | Path) -> None:
    """Write a checkpoint; under the name ``path`` there is at any moment the old file or the whole new one.

    Args:
        checkpoint: Tensors and plain values. Its ``meta`` is given ``mtlbox_version``.
        path: A local file; its folder is made where it is missing.

    Raises:
        OSError: It cannot be written, e.g. because the disk is full. What was there before is untouched.
    """
    checkpoint.setdefault('meta', {})['mtlbox_version'] = __version__
    replace_file(path, lambda temporary: torch.save(checkpoint, temporary))


def write_pointer(folder: str | Path, checkpoint: str) -> None:
    """Name ``checkpoint`` as the last one of a work directory."""
    replace_file(Path(folder, POINTER), lambda temporary: temporary.write_text(checkpoint))


def read_pointer(folder: str | Path) -> Path | None:
    """Return the checkpoint that a work directory names as its last; None where it names none that is there.

    One of that name in the work directory itself is preferred, for the directory may have been copied or moved.
    """
    folder = Path(folder)
    try:
        named = (folder / POINTER).read_text(errors='replace').strip()
        if not named:
            return None
        last = Path(named)
        return next((path for path in (folder / last.name, last) if path.is_file()), None)
    except (OSError, ValueError):  # unreadable, or no path
        return None


def replace_file(path: str | Path, write: Callable[[Path], Any]) -> None:
    """Replace the file ``path`` by what ``write(temporary path)`` writes, on the disk and all at once.

    Raises:
        OSError: It cannot be written. The file is what it was before, and nothing is left over.
    """
    path = Path(path)
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except (OSError, RuntimeError) as error:  # torch's writer reports a full disk as a RuntimeError
        failure = _explain(error, path, temporary)
        temporary.unlink(missing_ok=True)
        raise failure from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explain(error: Exception, path: Path, temporary: Path) -> Exception:
    """Return what to raise in place of ``error``, which hindered writing ``path``."""
    number = error.errno if isinstance(error, OSError) else _hindrance(temporary)
    if number is None:
        return error
    return OSError(number, f'{path} cannot be written: {os.strerror(number)}. What was there before is untouched.')


def _hindrance(temporary: Path) -> int | None:
    """Try to add to a half-written file; return the number of the error, None where it works."""
    try:
        with open(temporary, 'ab') as stream:
            stream.write(bytes(1 << 20))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        return error.errno
    return None


def check_writable(folder: str | Path) -> None:
    """Make a folder where it is missing, and write into it.

    Raises:
        OSError: Either is not possible.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f'.writable-{os.getpid()}'
        probe.write_bytes(bytes(1))
        probe.unlink()
    except OSError as error:
        number = error.errno or errno.EIO
        raise OSError(number, f'The folder {folder} cannot be written into: {os.strerror(number)}.') from error


def weights_of(
    checkpoint: Mapping[str, Any], *, ema: bool = False, source: str | Path = 'The checkpoint'
) -> dict[str, Tensor]:
    """Return the weights in a checkpoint, without a wrapper's ``module.`` prefix.

    Args:
        checkpoint: What :func:`read_checkpoint` returned.
        ema: Return the averaged weights.
        source: What messages call it.

    Raises:
        CheckpointError: There are no weights, or averaged ones are asked for and there are none.
    """
    if ema:
        if 'ema_state_dict' not in checkpoint:
            raise CheckpointError(
                f'{source} holds no averaged weights; they are kept by a run with '
                "custom_hooks = [dict(type='EMAHook')]."
            )
        averaged = _named_tensors(checkpoint['ema_state_dict'], f"{source}: 'ema_state_dict'")
        return {k.removeprefix('module.'): v for k, v in averaged.items() if k.startswith('module.')}
    where = f"{source}: 'state_dict'" if 'state_dict' in checkpoint else str(source)
    weights = _named_tensors(checkpoint.get('state_dict', checkpoint), where)
    return {key.removeprefix('module.'): value for key, value in weights.items()}


def _named_tensors(state: Any, where: str) -> Mapping[str, Tensor]:
    if not isinstance(state, Mapping):
        raise CheckpointError(f'{where} holds no weights, but a {type(state).__name__}.')
    if not state:
        raise CheckpointError(f'{where} holds no weights: it is empty.')
    for key, value in state.items():
        if not isinstance(key, str):
            raise CheckpointError(f'{where} holds no weights: its keys are not names, but {key!r}.')
        if not isinstance(value, Tensor):
            raise CheckpointError(f'{where} holds no weights: {key!r} is a {type(value).__name__}, not a tensor.')
    return state


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
