"""Stopping a training in good order when the system asks for it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import torch
from mmengine.dataset import worker_init_fn
from mmengine.dist import all_reduce

from mtlbox.datasets.worker import use_one_core

EXIT_CODE = 75
"""Exit code of a training that a signal stopped after a checkpoint was written (``EX_TEMPFAIL``): start it again."""
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""Signals that are taken as the wish to stop; Slurm sends them before the end of a time limit."""
WORKER_SECONDS = 20
"""How long a data-loading process lives on after SIGTERM, so that the training reaches its next checkpoint."""


class Stopped(SystemExit):
    """A training that was asked to stop and did so at a checkpoint; ends the program with :data:`EXIT_CODE`."""

    def __init__(self, message: str) -> None:
        super().__init__(EXIT_CODE)
        self.message = message

    def __str__(self) -> str:
        return self.message


class StopRequest:
    """While entered, remembers that SIGTERM or SIGUSR1 came instead of dying of it.

    Handlers can be installed in the main thread alone; entered in another one, it never has a request.
    """

    def __init__(self) -> None:
        self._caught = 0
        self._previous: dict[int, Any] = {}
        self._blocked: set[Any] = set()

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._remember) for number in SIGNALS}
            self._blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._previous:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._caught = number

    def agreed(self) -> str | None:
        """Return the name of a signal that any rank has got, None where none has; all ranks must ask together."""
        caught = torch.tensor(self._caught)
        all_reduce(caught, op='max')
        return signal.Signals(int(caught)).name if caught else None


def end_workers() -> None:
    """End all data-loading processes of this program at once, which would else live on after SIGTERM."""
    for process in multiprocessing.active_children():
        if process.daemon and process.pid is not None:
            os.kill(process.pid, signal.SIGALRM)


def init_worker(worker_id: int, num_workers: int, rank: int, seed: int | None) -> None:
    """Seed a data-loading process as mmengine does; let it use one core, and outlive the signals that stop a training.

    The system sends these to every process of a job; without workers the training could not reach its checkpoint.

    Args:
        worker_id: Number of the worker.
        num_workers: How many there are.
        rank: Rank of the training process.
        seed: Seed of the run; None leaves the worker as torch seeds it.
    """
    if seed is not None:
        worker_init_fn(worker_id, num_workers, rank, seed)
    use_one_core()
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, lambda number, frame: os._exit(0))
    signal.signal(signal.SIGTERM, lambda number, frame: signal.alarm(WORKER_SECONDS) and None)
