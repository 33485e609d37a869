"""Saying in one line what ended a training: a data-loading process that died, a full disk, data that are gone."""

from __future__ import annotations

import errno
import os
import re
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from torch import distributed

from mtlbox.engine.checkpoint import read_pointer

_DIED = re.compile(r'DataLoader worker \(pid[^)]*\).*', re.DOTALL)
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO, errno.EACCES)
_RANK = re.compile(r'gloo|NCCL|Connection (reset|closed|refused)|Socket [Tt]imeout|Timed out', re.IGNORECASE)


@contextmanager
def explained(work_dir: str) -> Iterator[None]:
    """Give errors of data loading, of full or read-only disks and of lost ranks one line, which names the checkpoint.

    Args:
        work_dir: Work directory of the run.

    Raises:
        ChildProcessError: A data-loading process died.
        ConnectionError: Another process of a distributed run died or hangs.
        OSError: The disk is full or read-only.
    """
    try:
        yield
    except Exception as raised:
        error, died = _settle(raised)
        message = _explain(error, died)
        if message is None:
            raise
        whole = f'{message}{_last_checkpoint(work_dir)}'
        if died:
            raise ChildProcessError(whole) from error
        if _rank_lost(error):
            raise ConnectionError(whole) from error
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, whole) from error
        raise type(error)(whole) from error


def _settle(error: Exception) -> tuple[Exception, bool]:
    """Return what ended the block, and whether a data-loading process died, of which torch says no more from here on.

    Torch's handler raises wherever the main thread is: also here, where the broken connection was noticed before.
    """
    try:
        died = _worker_died(error)
    except RuntimeError as second:
        if not _worker_died(second):
            raise
        error, died = second, True
    if died and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return error, died


def _worker_died(error: Exception) -> bool:
    """Say whether a data-loading process died: by torch's word, or by the connection that broke under it."""
    if isinstance(error, RuntimeError):
        return _DIED.match(str(error)) is not None
    modules = (frame.f_globals.get('__name__') for frame, _ in traceback.walk_tb(error.__traceback__))
    return isinstance(error, (ConnectionError, EOFError)) and 'torch.utils.data.dataloader' in modules


def _rank_lost(error: Exception) -> bool:
    """Say whether the connection to another rank broke."""
    is_distributed = distributed.is_available() and distributed.is_initialized()
    return is_distributed and isinstance(error, RuntimeError) and _RANK.search(str(error)) is not None


def _explain(error: Exception, died: bool) -> str | None:
    text = str(error)
    said = from_worker(text)
    if said is not None:
        return said
    if died:
        how = re.search(r'is killed by signal: ([\w ]+?)\.', text)
        return (
            f'A data-loading process died{f" ({how[1]})" if how else ""}. Mostly the machine ran out of memory: '
            'lower train_dataloader.num_workers or batch_size.'
        )
    if _rank_lost(error):
        return f'Another process of this run died or hangs; its own output says why. (Here: {text.splitlines()[0]})'
    if isinstance(error, OSError) and error.errno in _DISK:
        where = f': {error.filename}' if error.filename else ''
        stated = error.strerror or os.strerror(error.errno)
        return stated if stated.endswith('.') else f'{stated}{where}.'
    return None


def from_worker(text: str) -> str | None:
    """Return the message of an error that torch brought over from a worker with its traceback; None if it is none."""
    found = re.match(r'Caught (\w+) in ', text)
    if not found or 'Original Traceback' not in text:
        return None
    name = found[1]
    starts = list(re.finditer(rf'^(?:[\w.]+\.)?{name}(?:: |$)', text, flags=re.MULTILINE))
    return text[starts[-1].end() :].strip() or name if starts else None


def _last_checkpoint(work_dir: str) -> str:
    last = read_pointer(work_dir)
    return f' The last checkpoint is {last}; go on from it with --resume.' if last else ''
