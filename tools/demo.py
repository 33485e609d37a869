"""Train CTAL on generated rooms, evaluate it beside trivial predictors, draw its predictions: ``make demo``.

Needs no data, no download and no GPU. ``--short`` takes a few steps only, to show that everything works.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from mmengine.runner import find_latest_checkpoint

from mtlbox.apis import exit_on_user_error
from mtlbox.apis.tables import markdown_table
from mtlbox.apis.trivial import score_trivial
from mtlbox.config import load_config
from mtlbox.datasets.image_file import read_image, write_png
from mtlbox.engine import build_runner
from mtlbox.engine.optim import has_fast_half
from mtlbox.visualization.draw import stack_pictures

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / 'configs' / 'ctal' / 'ctal_hrnet18_rooms.py'
SHORT = {
    'train_dataloader.dataset.length': 32,
    'val_dataloader.dataset.length': 16,
    'test_dataloader.dataset.length': 16,
    'train_cfg.max_epochs': 1,
}
TARGETS = {  # score: (how it is held against the trivial predictor's, bound)
    'semseg/mIoU': ('at least', 3.0),
    'depth/rmse': ('at most', 0.6),
    'normals/mErr': ('at most', 0.6),
}


def main(argv: list[str] | None = None) -> int:
    """Run the demo; return 1 where a full run misses a target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', default='demo', help='folder for everything that is written')
    parser.add_argument('--short', action='store_true', help='a few steps only; the targets are not asked for')
    args = parser.parse_args(argv)
    out = Path(args.out)
    started = time.monotonic()
    with exit_on_user_error():
        cfg = load_config(CONFIG, SHORT if args.short else None)
        cfg.work_dir = str(out)
        cfg.log_level = 'WARNING'
        cfg.val_evaluator.baseline = cfg.test_evaluator.baseline = (
            None  # trivial predictors are what it is held against
        )
        if has_fast_half():
            cfg.optim_wrapper.type = 'AmpOptimWrapper'
        print(f'Training CTAL (HRNet-W18-small-v2) on generated rooms, {_device()}. Everything goes to {out}/.')
        runner = build_runner(cfg)
        runner.train()
        print('Testing on rooms that were not trained on, and scoring the trivial predictors.')
        scores = runner.test()
        trivial = score_trivial(cfg)
    rows = compare(scores, trivial)
    (out / 'demo.json').write_text(json.dumps(rows, indent=2) + '\n')
    table = markdown(rows)
    (out / 'table.md').write_text(table)
    pictures = sorted((out / 'pictures' / 'test').glob('*.png'))
    sheet = stack_pictures([read_image(p) for p in pictures])
    write_png(out / 'pictures.png', sheet)
    print(f'\n{table}')
    print(f'Took {time.monotonic() - started:.0f} s. Input, prediction and truth: {out}/pictures.png')
    print(
        f'TensorBoard: .venv/bin/tensorboard --logdir {out}\n'
        'Your own images: .venv/bin/python tools/infer.py configs/ctal/ctal_hrnet18_rooms.py '
        f'{find_latest_checkpoint(str(out))} IMAGE --out predictions\n'
        "Next, the real NYUv2 (MTAN's archive, 288x384, 13 classes) in data/nyuv2-13:\n"
        '  .venv/bin/python tools/train.py configs/ctal/ctal_hrnet18_nyuv2-13.py\n'
        'Without the archive, make a replica of its layout first:\n'
        '  .venv/bin/python tools/data.py replica nyuv2-13 data/nyuv2-13'
    )
    missed = [row['score'] for row in rows if not row['met']]
    if missed and not args.short:
        print(f'error: below target: {", ".join(missed)}', file=sys.stderr)
        return 1
    return 0


def compare(scores: dict[str, float], trivial: dict[str, float]) -> list[dict]:
    """Return one row per score that has a target."""
    rows = []
    for score, (relation, bound) in TARGETS.items():
        ratio = scores[score] / trivial[score]
        met = ratio >= bound if relation == 'at least' else ratio <= bound
        rows.append(
            dict(
                score=score,
                trained=scores[score],
                trivial=trivial[score],
                ratio=ratio,
                target=f'{relation} {bound:g}',
                met=met,
            )
        )
    return rows


def markdown(rows: list[dict]) -> str:
    """Return the rows as a Markdown table."""
    cells = [[r['score'], f'{r["trained"]:.3f}', f'{r["trivial"]:.3f}', f'{r["ratio"]:.2f}', r['target']] for r in rows]
    return markdown_table(['score', 'CTAL', 'trivial', 'ratio', 'target'], cells, left=(0, 4))


def _device() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f'on the CPU with {torch.get_num_threads()} threads'


if __name__ == '__main__':
    sys.exit(main())
