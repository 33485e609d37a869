"""A progress bar."""

from __future__ import annotations

import resource
import sys
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tqdm import tqdm

from mtlbox.registry import HOOKS


@HOOKS.register_module()
class ProgressHook(Hook):
    """Shows a bar over the whole training, with the loss, its parts per task, the learning rate and the memory.

    In a terminal it is redrawn in place; elsewhere a line is written now and then. On CPUs, where mmengine logs no
    memory, the largest resident size of the process so far is added to the log as ``memory_mb``.

    Args:
        bar: Whether to show the bar; the log's own lines carry the same figures.
        seconds: How often a line is written where the output is no terminal.
    """

    priority = 'VERY_LOW'

    def __init__(self, *, bar: bool = True, seconds: float = 30.0) -> None:
        self.bar, self.seconds = bar, seconds
        self._bar: Any = None

    @property
    def is_open(self) -> bool:
        """Whether the bar is drawn, so that the cursor may stand at its end."""
        return self._bar is not None

    def before_train(self, runner: Runner) -> None:
        """Open the bar."""
        if self.bar and is_main_process():
            interval = 0.2 if sys.stderr.isatty() else self.seconds
            self._bar = tqdm(
                total=runner.max_iters, initial=runner.iter, desc='train', unit='it', mininterval=interval, ncols=120
            )

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Move the bar."""
        memory = _memory_mb()
        if not torch.cuda.is_available():
            runner.message_hub.update_scalar('train/memory_mb', memory)
        if self._bar is None:
            return
        tasks = {key.split('/')[0] for key in outputs or {} if '/loss' in key}
        shown = {'loss': float((outputs or {}).get('loss', float('nan')))}
        for task in sorted(tasks):
            shown[task] = sum(float(v) for k, v in (outputs or {}).items() if k.startswith(f'{task}/loss'))
        rate = next(iter(runner.optim_wrapper.get_lr().values()))[0]
        parts = [f'{key} {value:.3g}' for key, value in shown.items()]
        self._bar.set_postfix_str(f'{", ".join(parts)}, lr {rate:.2g}, {memory:.0f} MB', refresh=False)
        self._bar.update(1)

    def after_train(self, runner: Runner) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _memory_mb() -> float:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
