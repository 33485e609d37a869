"""Write a baseline for delta_m from the result.json of a single-task run.

python tools/analysis_tools/make_baseline.py WORK_DIR/result.json NAME [--out FILE] [--backbone NAME] [--dataset NAME]
    [--single-task]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mtlbox.evaluation import write_baseline


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        description='Write a baseline for delta_m from the result.json of a single-task run.'
    )
    parser.add_argument('result_json', type=Path, help='result.json in the work directory of the single-task run')
    parser.add_argument('name', help='name of the baseline')
    parser.add_argument('--out', type=Path, help='file to write; default: NAME.json beside result.json')
    parser.add_argument('--backbone', help='backbone of the networks, where result.json does not say')
    parser.add_argument('--dataset', help='data set, where result.json does not say')
    parser.add_argument(
        '--single-task', action='store_true', help='the networks are single-task ones, where result.json does not say'
    )
    args = parser.parse_args(argv)
    out = args.out or args.result_json.with_name(f'{args.name}.json')
    try:
        baseline = write_baseline(
            out,
            args.result_json,
            name=args.name,
            backbone=args.backbone,
            dataset=args.dataset,
            single_task=args.single_task,
        )
    except (OSError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'{out}: {", ".join(f"{task} ({baseline.protocols[task]})" for task in baseline.scores)}')
    print(f"Use it with: val_evaluator = dict(type='MTLEvaluator', baseline={str(out)!r}, ...)")
    return 0


if __name__ == '__main__':
    sys.exit(main())
