"""Put published scores and our own into tables: ``python tools/leaderboard.py [WORK_DIR ...]``.

Each data set, setting and protocol has its own table, each backbone its own section; delta_m is recomputed against the
single-task row of the same data set, backbone and protocol. A WORK_DIR is that of a run, that of ``tools/run_seeds.py``
(mean and deviation over seeds), a folder of such, or a result file. Runs on a replica or on a part of the data get
tables of their own.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mtlbox.apis import exit_on_user_error
from mtlbox.apis.tables import replace_between
from mtlbox.engine.checkpoint import replace_file
from mtlbox.leaderboard import Row, load_rows
from mtlbox.leaderboard.html import to_html
from mtlbox.leaderboard.runs import find_results, read_run
from mtlbox.leaderboard.tables import build_tables
from mtlbox.leaderboard.text import to_csv, to_json, to_markdown

FORMATS = {'md': to_markdown, 'html': to_html, 'csv': to_csv, 'json': to_json}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('work_dirs', nargs='*', metavar='WORK_DIR', help='our runs; only published rows without any')
    parser.add_argument('--dataset', help='only this data set, e.g. nyuv2-13')
    parser.add_argument('--backbone', help='only this backbone, e.g. Swin-T')
    parser.add_argument('--sort', metavar='COLUMN', help="a score ('depth/rmse'), delta_m, params, macs or method")
    parser.add_argument('--baseline', help='baseline of delta_m where it fits: a shipped name, or a file (.json)')
    parser.add_argument('--no-ablations', action='store_true', help='leave ablations out')
    parser.add_argument('--format', choices=FORMATS, default='md', help='%(default)s by default')
    where = parser.add_mutually_exclusive_group()
    where.add_argument('--out', type=Path, help='write to this file; to the screen by default')
    where.add_argument(
        '--update', type=Path, metavar='PAGE', help='write Markdown into this page, between its leaderboard marks'
    )
    return parser.parse_args(argv)


def runs(given: list[str]) -> list[Row]:
    """Read our runs; a file that cannot be used is an error where it was given, else a warning."""
    rows = []
    named = {Path(path) for path in given}
    for path in find_results(given):
        try:
            rows.append(read_run(path))
        except (OSError, ValueError) as error:
            if path in named or path.parent in named:
                raise
            print(f'warning: {error}; it is left out', file=sys.stderr)
    return rows


def main(argv: list[str] | None = None) -> None:
    """Write the tables."""
    args = parse_args(argv)
    with exit_on_user_error():
        rows = [*load_rows(), *runs(args.work_dirs)]
        tables = build_tables(
            rows,
            dataset=args.dataset,
            backbone=args.backbone,
            sort=args.sort,
            baseline=args.baseline,
            studies=not args.no_ablations,
        )
        if args.update and args.format != 'md':
            raise ValueError(f'--update writes Markdown, but --format is {args.format}')
        text = FORMATS[args.format](tables)
        if args.update:
            replace_between(args.update, 'leaderboard', text)
        elif args.out:
            replace_file(args.out, lambda temporary: temporary.write_text(text, encoding='utf-8'))
        else:
            print(text, end='')


if __name__ == '__main__':
    main()
