"""Starting a distributed run on GPUs or CPUs, under torchrun or Slurm."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed

from mtlbox.engine.stop import Stopped

TIMEOUT = 600.0
"""Seconds that a rank waits for the others in one collective operation before it takes them for dead."""


def init_dist(launcher: str, *, timeout: float = TIMEOUT) -> None:
    """Join the process group: NCCL where there are GPUs, else gloo. mmengine's own needs a GPU.

    Args:
        launcher: ``'pytorch'`` (torchrun has set RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT) or
            ``'slurm'`` (they are derived from Slurm's variables, those that are set already are kept).
        timeout: Seconds after which joining, or one collective operation, fails because a rank is missing.

    Raises:
        ValueError: The launcher is neither, its variables are not set, or ``timeout`` is not positive.
    """
    if distributed.is_initialized():
        return
    if launcher not in ('pytorch', 'slurm'):
        raise ValueError(f"launcher must be 'none', 'pytorch' or 'slurm', but is {launcher!r}.")
    if not timeout > 0:
        raise ValueError(f'env_cfg.dist_cfg.timeout must be a positive number of seconds, but is {timeout!r}.')
    needed = 'SLURM_PROCID' if launcher == 'slurm' else 'RANK'
    if needed not in os.environ:
        starter = 'srun (see tools/slurm_train.sh)' if launcher == 'slurm' else 'torchrun (see tools/dist_train.sh)'
        raise ValueError(f'--launcher {launcher} needs {needed}: start the program by {starter}.')
    if launcher == 'slurm':
        _export_slurm()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ['LOCAL_RANK']) % torch.cuda.device_count())
    distributed.init_process_group(
        'nccl' if torch.cuda.is_available() else 'gloo', timeout=timedelta(seconds=float(timeout))
    )


@contextmanager
def leaving_dist() -> Iterator[None]:
    """Run a block to whose end, or ``Stopped``, all ranks come together, and end the process group there.

    Where a process is taken down with a group that lives, and another rank still talks to it, it may abort.
    """
    try:
        yield
    except Stopped:
        _leave()
        raise
    _leave()


def _leave() -> None:
    if distributed.is_initialized():
        distributed.barrier()
        distributed.destroy_process_group()


def _export_slurm() -> None:
    """Set torch's variables from Slurm's, leaving alone those that are set."""
    env = os.environ
    env['RANK'], env['WORLD_SIZE'] = env['SLURM_PROCID'], env['SLURM_NTASKS']
    env['LOCAL_RANK'] = env.get('SLURM_LOCALID', '0')
    # by job, so that two jobs may share a node; below the ports that the system gives to clients
    env.setdefault('MASTER_PORT', str(12000 + int(env.get('SLURM_JOB_ID', '0')) % 20000))
    if 'MASTER_ADDR' not in env:
        nodes = env.get('SLURM_STEP_NODELIST') or env['SLURM_JOB_NODELIST']
        names = ['scontrol', 'show', 'hostnames', nodes]
        env['MASTER_ADDR'] = subprocess.run(names, check=True, capture_output=True, text=True).stdout.split()[0]
