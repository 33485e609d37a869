"""Starting a distributed run on GPUs or CPUs, under torchrun or Slurm."""

from __future__ import annotations

import os
import subprocess

import torch
from torch import distributed


def init_dist(launcher: str) -> None:
    """Join the process group: NCCL where there are GPUs, else gloo. mmengine's own needs a GPU.

    Args:
        launcher: ``'pytorch'`` (torchrun has set RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT) or
            ``'slurm'`` (they are derived from Slurm's variables; MASTER_PORT is 29500 where it is not set).

    Raises:
        ValueError: The launcher is neither, or its variables are not set.
    """
    if distributed.is_initialized():
        return
    if launcher not in ('pytorch', 'slurm'):
        raise ValueError(f"launcher must be 'none', 'pytorch' or 'slurm', but is {launcher!r}.")
    needed = 'SLURM_PROCID' if launcher == 'slurm' else 'RANK'
    if needed not in os.environ:
        starter = 'srun (see tools/slurm_train.sh)' if launcher == 'slurm' else 'torchrun (see tools/dist_train.sh)'
        raise ValueError(f'--launcher {launcher} needs {needed}: start the program by {starter}.')
    if launcher == 'slurm':
        _export_slurm()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ['LOCAL_RANK']) % torch.cuda.device_count())
    distributed.init_process_group('nccl' if torch.cuda.is_available() else 'gloo')


def _export_slurm() -> None:
    """Set torch's variables from Slurm's, leaving alone those that are set."""
    env = os.environ
    env['RANK'], env['WORLD_SIZE'] = env['SLURM_PROCID'], env['SLURM_NTASKS']
    env['LOCAL_RANK'] = env.get('SLURM_LOCALID', '0')
    env.setdefault('MASTER_PORT', '29500')
    if 'MASTER_ADDR' not in env:
        names = ['scontrol', 'show', 'hostnames', env['SLURM_JOB_NODELIST']]
        env['MASTER_ADDR'] = subprocess.run(names, check=True, capture_output=True, text=True).stdout.split()[0]
