"""Train the model of a config file: ``python tools/train.py CONFIG``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from mtlbox.apis import CfgOptions, exit_on_user_error
from mtlbox.config import load_config
from mtlbox.engine import build_runner


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='where everything is written; work_dirs/CONFIG by default')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='PATH',
        help='go on from the checkpoint PATH, or from the last one in the work directory',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision: float16 on GPUs, bfloat16 on CPUs')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=CfgOptions,
        help='change keys that the config has: model.neck.gamma=0.1 train_dataloader.batch_size=4',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='who starts the ranks')
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument('--seed', type=int, help='seed; the config has one by default')
    parser.add_argument('--deterministic', action='store_true', help='only deterministic algorithms, slower')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the total batch size over auto_scale_lr.base_batch_size',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Train."""
    args = parse_args(argv)
    with exit_on_user_error():
        cfg = load_config(args.config, args.cfg_options, purpose='train')
        cfg.launcher = args.launcher
        cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(Path('work_dirs', Path(args.config).stem))
        if args.resume:
            cfg.resume = True
            cfg.load_from = None if args.resume == 'auto' else args.resume
        if args.amp:
            cfg.optim_wrapper.type = 'AmpOptimWrapper'
        if args.auto_scale_lr:
            cfg.auto_scale_lr = dict(cfg.get('auto_scale_lr') or {}, enable=True)
            if 'base_batch_size' not in cfg.auto_scale_lr:
                raise ValueError('--auto-scale-lr needs auto_scale_lr.base_batch_size in the config.')
        cfg.randomness = dict(cfg.get('randomness') or {})
        if args.seed is not None:
            cfg.randomness['seed'] = args.seed
        if args.deterministic:
            cfg.randomness['deterministic'] = True
            os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
        build_runner(cfg).train()


if __name__ == '__main__':
    sys.exit(main())
