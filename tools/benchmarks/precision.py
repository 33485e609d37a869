"""Train the same model in float32, in bfloat16, with accumulation, channels first and on two ranks, and compare.

    python tools/benchmarks/precision.py [CONFIG] [--images 1600] [--modes float32 bfloat16 ...]

All modes see the same images in the same order with the same seed; ``two-ranks`` and ``accumulation`` take half the
batch at a time. Another seed (``seed``) is the yardstick: how far apart two float32 runs are anyway. Prints a table of
the scores and how far each mode is from float32, as the largest relative difference of a score.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from mmengine.config import Config

from mtlbox.apis import exit_on_user_error
from mtlbox.config import load_config
from mtlbox.engine import build_runner

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / 'configs' / 'mtl' / 'mtl_hrnet18_rooms.py'
MODES = ('float32', 'bfloat16', 'float16', 'channels-first', 'accumulation', 'two-ranks', 'seed')
SHOWN = ('semseg/mIoU', 'semseg/pixAcc', 'depth/rmse', 'depth/relErr', 'normals/mErr')
TOLERANCE = dict.fromkeys(('bfloat16', 'float16', 'channels-first', 'accumulation', 'two-ranks'), 0.1)
"""Largest relative difference of a score from float32's that is taken for the same result, after 1600 images or more.

Shorter trainings amplify rounding: after 480 images, float32 itself differs by 20 % between channels first and last.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the modes and print the table; return 1 where one is out of its tolerance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?', default=str(CONFIG), help='config file of a model on rooms')
    parser.add_argument('--images', type=int, default=1600, help='how many images are trained on, once')
    parser.add_argument('--val-images', type=int, default=100, help='how many are validated on')
    parser.add_argument('--seeds', type=int, nargs=2, default=(0, 1), help="the seed of all, and the yardstick's")
    parser.add_argument('--modes', nargs='+', choices=MODES, help='all that this machine can run, by default')
    parser.add_argument('--work-dir', help='where the runs are written; a temporary folder by default')
    args = parser.parse_args(argv)
    modes = list(args.modes or [m for m in MODES if m != 'float16' or torch.cuda.is_available()])
    if 'float32' not in modes:
        modes.insert(0, 'float32')
    with exit_on_user_error(), tempfile.TemporaryDirectory() as temporary:
        cfg = load_config(args.config)
        cfg.train_dataloader.dataset.length, cfg.val_dataloader.dataset.length = args.images, args.val_images
        folder = Path(args.work_dir or temporary)
        scores = {}
        for mode in modes:
            scores[mode] = run(mode_config(cfg, mode, args.seeds), folder / mode, ranks=2 if mode == 'two-ranks' else 1)
            print(f'{mode} done', file=sys.stderr)
    print(table(scores))
    out = [mode for mode, bound in TOLERANCE.items() if mode in scores and distance(scores, mode) > bound]
    if out:
        print(f'out of tolerance: {", ".join(out)}', file=sys.stderr)
    return 1 if out else 0


def mode_config(cfg: Config, mode: str, seeds: tuple[int, int]) -> Config:
    """Return a copy of ``cfg`` that trains in ``mode``."""
    cfg = copy.deepcopy(cfg)
    cfg.randomness.seed = seeds[1] if mode == 'seed' else seeds[0]
    cfg.custom_hooks = [hook for hook in cfg.custom_hooks if hook['type'] not in ('PictureHook', 'ProgressHook')]
    cfg.log_level = 'WARNING'
    if cfg.default_hooks.checkpoint:
        cfg.default_hooks.checkpoint.save_best = None
    cfg.visualizer = None
    if mode in ('bfloat16', 'float16'):
        cfg.optim_wrapper.update(type='AmpOptimWrapper', dtype=mode)
    if mode == 'channels-first':
        cfg.model.data_preprocessor.channels_last = False
    if mode in ('accumulation', 'two-ranks'):
        cfg.train_dataloader.batch_size //= 2
    if mode == 'accumulation':
        cfg.optim_wrapper.accumulative_counts = 2
        for scheduler in cfg.param_scheduler or ():  # there are twice as many iterations
            if not scheduler.get('by_epoch', True):
                scheduler.update({key: 2 * scheduler[key] for key in ('begin', 'end') if key in scheduler})
    return cfg


def run(cfg: Config, folder: Path, ranks: int) -> dict[str, float]:
    """Train, and return the validation's scores."""
    folder.mkdir(parents=True, exist_ok=True)
    if ranks == 1:
        cfg.work_dir, cfg.experiment_name = str(folder), f'{folder.parent.name}-{folder.name}'
        build_runner(cfg).train()
    else:
        config = folder / 'config.py'
        cfg.dump(str(config))
        environment = {**os.environ, 'PYTHON': sys.executable}
        command = [str(ROOT / 'tools' / 'dist_train.sh'), str(config), str(ranks), '--work-dir', str(folder)]
        subprocess.run(command, check=True, env=environment)
    return json.loads((folder / 'result.json').read_text())['val']['scores']


def distance(scores: dict[str, dict[str, float]], mode: str) -> float:
    """Return the largest relative difference of a shown score from float32's."""
    reference, values = scores['float32'], scores[mode]
    return max(
        abs(values[key] / reference[key] - 1) for key in SHOWN if reference.get(key) and values.get(key) is not None
    )


def table(scores: dict[str, dict[str, float]]) -> str:
    """Return the scores of each mode as a Markdown table."""
    lines = [f'| mode | {" | ".join(SHOWN)} | from float32 | tolerance |', f'| --- |{" ---: |" * (len(SHOWN) + 2)}']
    for mode, values in scores.items():
        bound = f'{TOLERANCE[mode]:.0%}' if mode in TOLERANCE else ''
        cells = [f'{values[key]:.3f}' if values.get(key) is not None else '' for key in SHOWN]
        lines.append(f'| {mode} | {" | ".join(cells)} | {distance(scores, mode):.1%} | {bound} |')
    return '\n'.join(lines)


if __name__ == '__main__':
    sys.exit(main())
