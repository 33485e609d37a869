"""Work on single images that other processes do while the next images are predicted."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

import cv2
import torch
from mmengine.logging import print_log
from tqdm import tqdm

AHEAD = 4
"""Images per process that may wait; more would fill the memory where prediction is faster than scoring."""


class Job:
    """A call that another process may be working on.

    Args:
        label: Put before the message of a ValueError, with a colon.
        call: A function at the top level of a module.
        args: Its arguments.
    """

    def __init__(self, label: str, call: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._label, self._call, self._args = label, call, args
        self._future: Future | None = None
        self._result: Any = None
        self.finished = False

    def submit(self, pool: ProcessPoolExecutor) -> None:
        """Hand the call to a process."""
        self._future = pool.submit(self._call, *self._args)

    def result(self) -> Any:
        """What the call returns; waits for it, or computes it here where no process does.

        Raises:
            ValueError: What the call raises, with the label.
        """
        if not self.finished:
            try:
                self._result = self._call(*self._args) if self._future is None else self._future.result()
            except ValueError as error:
                raise ValueError(f'{self._label}: {error}') from error
            except BrokenProcessPool:
                print_log('A scoring process died; its image is scored here.', 'current', logging.WARNING)
                self._future = None
                return self.result()
            self.finished, self._args = True, ()
        return self._result


class Workers:
    """Processes that compute jobs, under a progress bar that counts the finished ones.

    Args:
        count: Number of processes; 0 computes every job at once in this one.
        description: What the bar says.
        progress: Whether there is a bar; on something else than a terminal there is none.
    """

    def __init__(self, count: int, description: str, progress: bool = True) -> None:
        self._count = count
        self._waiting: deque[Job] = deque()
        self._pool: ProcessPoolExecutor | None = None
        if count:
            context = get_context('spawn')  # a copy of a process with threads of torch or CUDA may hang
            self._pool = ProcessPoolExecutor(count, context, _init_worker, (os.getpid(),))
        self._bar = tqdm(desc=description, unit='image', disable=None if progress else True)

    def add(self, label: str, call: Callable[..., Any], *args: Any) -> Job:
        """Start a call; first wait for others where too many are under way."""
        while len(self._waiting) > AHEAD * self._count:
            self._finish()
        job = Job(label, call, args)
        self._waiting.append(job)
        if self._pool is None:
            self._finish()
        else:
            try:
                job.submit(self._pool)
            except BrokenProcessPool:
                self._finish()
        return job

    def close(self) -> None:
        """Finish all jobs and end the processes, which an error does too."""
        self._bar.total = self._bar.n + len(self._waiting)
        try:
            while self._waiting:
                self._finish()
        finally:
            self._bar.close()
            if self._pool is not None:
                self._pool.shutdown(cancel_futures=True)

    def _finish(self) -> None:
        try:
            self._waiting.popleft().result()
        except ValueError:
            self._bar.close()
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
            raise
        self._bar.update()


def _init_worker(parent: int) -> None:
    """One thread in a process that outlives the signals for its parent, but not its parent."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
