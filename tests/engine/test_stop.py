"""Signals: a training that is asked to stop writes a checkpoint, says so by its exit code, and can be gone on with."""

from __future__ import annotations

import os
import re
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


def test_signal_during_start_up_ends_nothing() -> None:
    """tools/train.py holds SIGUSR1 back before it imports anything; here it ends of the missing config."""
    tool = Path(__file__).parents[2] / 'tools' / 'train.py'
    run = subprocess.Popen([sys.executable, str(tool), 'nowhere.py'], stderr=subprocess.PIPE, text=True)
    mask, deadline = 1 << (signal.SIGUSR1 - 1), time.monotonic() + 60
    while time.monotonic() < deadline:
        blocked = re.search(r'SigBlk:\s*(\w+)', Path(f'/proc/{run.pid}/status').read_text())
        if blocked and int(blocked[1], 16) & mask:
            break
        time.sleep(0.01)
    run.send_signal(signal.SIGUSR1)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 2 and 'There is no config file nowhere.py' in said


def test_request_takes_a_signal_that_was_held_back() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)  # the runner's other threads do not block it
        with StopRequest() as request:
            assert request.agreed() == 'SIGUSR1'
        assert signal.SIGUSR1 in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})


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
