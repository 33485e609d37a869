"""Train the model of a config file: ``python tools/train.py CONFIG``.

Exit codes: 0 done, 2 something a user can mend (one line says what), 75 stopped by SIGTERM or SIGUSR1 after writing
a checkpoint; then start it again with ``--resume``.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path

if __name__ == '__main__':  # before the imports that take seconds: SIGUSR1 waits until the training can take it
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})

from mtlbox.apis import CfgOptions, exit_on_user_error
from mtlbox.config import load_config
from mtlbox.engine import build_runner
from mtlbox.engine.dist import leaving_dist
from mtlbox.engine.optim import AMP_DTYPES


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(  # no '--see 7': tools/run_seeds.py must know what it passes on
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='where everything is written; work_dirs/CONFIG by default')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='PATH',
        help='go on from the checkpoint PATH, or from the last whole one in the work directory',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision: float16 on GPUs, bfloat16 on CPUs')
    parser.add_argument('--amp-dtype', choices=AMP_DTYPES, help='mixed precision of this type')
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
    logging.raiseExceptions = False  # where the disk is full, the error that ends the run says so, not each log line
    with exit_on_user_error(after_interrupt='The training goes on from its last checkpoint with --resume.'):
        cfg = load_config(args.config, args.cfg_options, purpose='train')
        cfg.launcher = args.launcher
        cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(Path('work_dirs', Path(args.config).stem))
        if args.resume:
            cfg.resume = True
            cfg.load_from = None if args.resume == 'auto' else args.resume
        if args.amp or args.amp_dtype:
            cfg.optim_wrapper.update(type='AmpOptimWrapper', dtype=args.amp_dtype)
        if args.auto_scale_lr:
            cfg.auto_scale_lr = dict(cfg.get('auto_scale_lr') or {}, enable=True)
            if 'base_batch_size' not in cfg.auto_scale_lr:
                raise ValueError('--auto-scale-lr needs auto_scale_lr.base_batch_size in the config.')
        cfg.randomness = dict(cfg.get('randomness') or {})
        if args.seed is not None:
            cfg.randomness['seed'] = args.seed
        if args.deterministic:
            cfg.randomness['deterministic'] = True
        with leaving_dist():
            build_runner(cfg).train()


if __name__ == '__main__':
    sys.exit(main())
