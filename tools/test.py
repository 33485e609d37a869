"""Evaluate a checkpoint: ``python tools/test.py CONFIG CHECKPOINT``."""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtlbox.apis import CfgOptions, exit_on_user_error
from mtlbox.apis.protocols import set_protocols
from mtlbox.config import ConfigError, load_config
from mtlbox.engine import build_runner
from mtlbox.engine.checkpoint import load_weights, training_of, weights_of
from mtlbox.engine.dist import leaving_dist
from mtlbox.engine.pretrained import load_from_anywhere
from mtlbox.registry import METRICS


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file or address')
    parser.add_argument('--work-dir', help='where the log and result.json go; work_dirs/CONFIG/test by default')
    parser.add_argument('--out', help='write the scores to this json file')
    parser.add_argument('--show-dir', help='draw input, prediction and truth of every image into this folder')
    parser.add_argument('--dump', help='write what the MATLAB tools read into this folder, for metrics that can')
    parser.add_argument('--ema', action='store_true', help='evaluate the averaged weights')
    parser.add_argument(
        '--protocol',
        nargs='+',
        default=[],
        metavar='TASK=PROTOCOL',
        help='score under another protocol: depth=image-mean; a task twice is scored under both',
    )
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, help='change keys that the config has')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='who starts the ranks')
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def dump_into(evaluator: Any, folder: str) -> None:
    """Set ``dump_dir`` of each metric config that has this argument to ``folder`` and the metric's prefix.

    Raises:
        ConfigError: No metric has it.
    """
    metrics = evaluator['metrics'] if isinstance(evaluator, Mapping) and 'metrics' in evaluator else evaluator
    able = [
        metric
        for metric in ([metrics] if isinstance(metrics, Mapping) else metrics)
        if 'dump_dir' in inspect.signature(METRICS.get(metric['type'])).parameters
    ]
    if not able:
        raise ConfigError('--dump: no metric of test_evaluator can write files; BoundaryMetric can.')
    for metric in able:
        metric['dump_dir'] = str(Path(folder, metric.get('prefix') or metric['task']))


def main(argv: list[str] | None = None) -> None:
    """Evaluate."""
    args = parse_args(argv)
    with exit_on_user_error():
        cfg = load_config(args.config, args.cfg_options, purpose='test')
        set_protocols(cfg, args.protocol)
        checkpoint = load_from_anywhere(args.checkpoint)
        cfg.launcher = args.launcher
        cfg.work_dir = args.work_dir or str(Path('work_dirs', Path(args.config).stem, 'test'))
        cfg.load_from, cfg.resume = None, False
        if args.dump:
            dump_into(cfg.test_evaluator, args.dump)
        kept = [hook for hook in cfg.get('custom_hooks') or [] if hook['type'] not in ('PictureHook', 'EMAHook')]
        if args.show_dir:
            kept.append(dict(type='PictureHook', num_images=-1, out_dir=args.show_dir))
        cfg.custom_hooks = kept
        runner = build_runner(cfg)
        model = getattr(runner.model, 'module', runner.model)
        load_weights(model, weights_of(checkpoint, ema=args.ema, source=args.checkpoint), args.checkpoint)
        runner._load_from, runner._has_loaded = args.checkpoint, True
        training = training_of(checkpoint)
        runner.loaded_training = {**training, 'ema': args.ema or training['ema']}
        is_first = runner.rank == 0
        with leaving_dist():
            scores = runner.test()
        if args.out and is_first:
            out = Path(args.out)
            out.parent.mkdir(parents=True, exist_ok=True)
            text = Path(runner.work_dir, 'result.json').read_text()
            out.write_text(text if scores is not None else json.dumps({}))


if __name__ == '__main__':
    sys.exit(main())
