"""Signals: a training that is asked to stop writes a checkpoint, says so by its exit code, and can be gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmengine.hooks import Hook
from torch.utils.data import DataLoader, Dataset, get_worker_info

from mtlbox.config import load_config
from mtlbox.engine import build_runner
from mtlbox.engine.checkpoint import read_checkpoint
from mtlbox.engine.stop import EXIT_CODE, Stopped, StopRequest, init_worker


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR1])
def test_request_remembers_and_gives_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopRequest() as request:
        assert request.agreed() is None
        os.kill(os.getpid(), number)
        assert request.agreed() == number.name
    assert signal.getsignal(number) is before


def test_held_back_signal_waits_for_the_training_and_is_lost_after_it() -> None:
    code = """
import os, signal
from mtlbox.engine.stop import StopRequest, hold_back
hold_back()
os.kill(os.getpid(), signal.SIGUSR1)
with StopRequest() as request:
    print(request.agreed())
os.kill(os.getpid(), signal.SIGUSR1)
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, 'SIGUSR1\n'), done.stderr


def test_request_in_another_thread_leaves_handlers_alone() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def enter() -> None:
        with StopRequest() as request:
            seen.append((signal.getsignal(signal.SIGTERM), request.agreed()))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [(before, None)]


class Pids(Dataset):
    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> int:
        assert get_worker_info() is not None
        return os.getpid()


def seeded_worker(worker_id: int) -> None:
    init_worker(worker_id, 1, 0, 5)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGUSR1])
def test_workers_outlive_the_signal(number: signal.Signals) -> None:
    loader = DataLoader(Pids(), num_workers=1, prefetch_factor=1, worker_init_fn=seeded_worker)
    pids = []
    for (pid,) in map(torch.Tensor.tolist, loader):
        pids.append(pid)
        os.kill(pid, number)
        time.sleep(0.05)
    assert len(pids) == 6 and len(set(pids)) == 1


class SignalAt(Hook):
    def __init__(self, at: int) -> None:
        self.at = at

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter == self.at:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.slow
def test_training_stops_at_the_next_step_of_the_optimizer(campaign: ModuleType, tmp_path: Path) -> None:
    cfg = load_config(campaign.write_config(tmp_path, 'epoch'))
    cfg.work_dir = str(tmp_path / 'run')
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.num_workers, loader.persistent_workers = 0, False
    runner = build_runner(cfg)
    runner.register_hook(SignalAt(2))
    with pytest.raises(Stopped, match=r'Stopped by SIGTERM after iteration 5; go on with --resume') as stopped:
        runner.train()
    assert stopped.value.code == EXIT_CODE == 75
    last = (tmp_path / 'run' / 'last_checkpoint').read_text()
    assert last == str(tmp_path / 'run' / 'iter_5.pth')
    checkpoint = read_checkpoint(last)
    assert checkpoint['meta']['iter'] == 5 and checkpoint['progress']['consumed'] == 5
    assert 'optimizer' in checkpoint and len(checkpoint['ranks']) == 1
