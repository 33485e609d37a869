"""Repeat the step at which a loss was NaN or infinite: ``python tools/replay_step.py CONFIG DUMP``.

DUMP is the folder ``nonfinite_iter_N`` that the run left in its work directory. Prints each part of the loss beside
what the run recorded, and the first modules whose output is not finite. Exit code 0 means that all parts are the same
to the last bit. A step of several ranks is repeated by as many:
``torchrun --nproc-per-node 2 tools/replay_step.py CONFIG DUMP --launcher pytorch``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch
from mmengine.config import DictAction
from mmengine.device import get_device
from mmengine.dist import get_rank, get_world_size, is_main_process
from mmengine.registry import init_default_scope
from torch import nn

from mtlbox.apis import exit_on_user_error
from mtlbox.compat import ensure_torchvision
from mtlbox.config import load_config
from mtlbox.engine.checkpoint import load_weights, read_checkpoint
from mtlbox.engine.dist import init_dist
from mtlbox.engine.hooks.nan_guard_hook import unpack_batch
from mtlbox.engine.rng import set_rng_state
from mtlbox.registry import MODELS


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file of the run')
    parser.add_argument('dump', help='folder nonfinite_iter_N of its work directory, or one rank_R.pth in it')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='as the run had them')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='who starts the ranks')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Repeat the step; return 0 where every part of the loss is the recorded one."""
    args = parse_args(argv)
    with exit_on_user_error():
        cfg = load_config(args.config, args.cfg_options)
        if args.launcher != 'none':
            init_dist(args.launcher)
        path = Path(args.dump)
        if path.is_dir():
            path = path / f'rank_{get_rank()}.pth'
        dump = read_checkpoint(path)
        if 'losses' not in dump or 'batch' not in dump:
            raise ValueError(f'{path} is no dump of a step; NanGuardHook writes them to nonfinite_iter_N/rank_R.pth.')
        if dump['world_size'] != get_world_size():
            raise ValueError(
                f'{path} is of a step of {dump["world_size"]} ranks, but {get_world_size()} are here. Start it by '
                f'torchrun --nproc-per-node {dump["world_size"]} tools/replay_step.py ... --launcher pytorch'
            )
        ensure_torchvision()
        init_default_scope('mtlbox')
        if 'tasks' in cfg.model and set(cfg.model.tasks) == set(dump['tasks']):
            # the copy of a config in a work directory is sorted, and random numbers and sums follow the order
            cfg.model.tasks = {key: cfg.model.tasks[key] for key in dump['tasks']}
        losses, culprits = replay(MODELS.build(cfg.model), dump, str(path))
    if is_main_process():
        print(f'{path}: iteration {dump["iter"] + 1}, epoch {dump["epoch"] + 1}')
        for name, value in losses.items():
            recorded = dump['losses'].get(name)
            print(f'{name} {value!r} recorded {recorded!r} {"same" if _same(value, recorded) else "DIFFERENT"}')
        for name in culprits[:3]:
            print(f'not finite: the output of {name}')
    return 0 if all(_same(value, dump['losses'].get(name)) for name, value in losses.items()) else 1


def replay(model: nn.Module, dump: dict[str, Any], source: str) -> tuple[dict[str, float], list[str]]:
    """Return the logged losses of the dumped step, and the modules whose output is not finite, in their order."""
    torch.set_num_threads(dump['threads'])
    torch.use_deterministic_algorithms(dump['deterministic'])
    device = get_device()
    model = model.to(device)
    load_weights(model, dump['state_dict'], source)
    model.train()
    culprits: list[str] = []

    def watch(name: str, module: nn.Module) -> None:
        def look(_: nn.Module, __: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor) and not torch.isfinite(output).all():
                culprits.append(name)

        module.register_forward_hook(look)

    for name, module in model.named_modules():
        watch(name, module)
    set_rng_state(dump['rng'])
    dtype = getattr(torch, dump['autocast']) if dump['autocast'] else None
    with torch.autocast(device, dtype=dtype, enabled=dtype is not None):
        data = model.data_preprocessor(unpack_batch(dump['batch']), training=True)
        losses = model(**data, mode='loss')
    _, logs = model.parse_losses(losses)
    return {name: float(value) for name, value in logs.items()}, culprits


def _same(value: float, recorded: float | None) -> bool:
    return recorded is not None and (value == recorded or (value != value and recorded != recorded))


if __name__ == '__main__':
    sys.exit(main())
