"""Score a folder of predictions of any code base: ``python tools/eval_predictions.py CONFIG FOLDER``.

The data set and the metrics are those of the test of CONFIG. Files are .npy or lossless pictures of the label's size,
one a task and image, named as ``tools/infer.py`` names them or by ``--pattern``. Floats are taken as they are; integers
are class numbers, millimetres (16-bit depth), normals from -1..1 to full scale, or probabilities from 0..1 to full
scale, unless ``--units`` says otherwise.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

from tqdm import tqdm

from mtlbox.apis import CfgOptions, exit_on_user_error
from mtlbox.apis.predictions import FIELDS, PATTERNS, UNITS, PredictionFolder, score_predictions
from mtlbox.apis.protocols import set_protocols
from mtlbox.config import load_config
from mtlbox.engine.checkpoint import replace_file


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config whose test data and metrics are used')
    parser.add_argument('folder', type=Path, help='folder of the predictions')
    parser.add_argument('--tasks', nargs='+', metavar='TASK', help='which tasks were predicted; all by default')
    parser.add_argument(
        '--pattern',
        nargs='+',
        default=[],
        metavar='[TASK=]PATTERN',
        help=f'names of the files, with {{{"}, {".join(FIELDS)}}}: '
        f"'{{task}}/{{id}}.png'; for one task: 'depth=depth_{{index:05d}}.npy'. Default: {' and '.join(PATTERNS)}",
    )
    parser.add_argument(
        '--units',
        nargs='+',
        default=[],
        metavar='TASK=UNIT',
        help=f'unit of the stored values: {", ".join(UNITS)}, or the value of one step, e.g. depth=0.00390625',
    )
    parser.add_argument('--offset', nargs='+', default=[], metavar='TASK=NUMBER', help='added to the values: semseg=-1')
    parser.add_argument('--resize', action='store_true', help="bring predictions to the label's size")
    parser.add_argument('--protocol', nargs='+', default=[], metavar='TASK=PROTOCOL', help='as in tools/test.py')
    parser.add_argument('--backbone', help='backbone that made them, e.g. Swin-T; delta_m needs it')
    parser.add_argument('--name', help='name in leaderboards; the name of the folder by default')
    parser.add_argument('--out', type=Path, help='write the result to this file, which tools/leaderboard.py reads')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, help='change keys that the config has')
    return parser.parse_args(argv)


def numbers(words: list[str], option: str, named: dict[str, float]) -> dict[str, float]:
    """Return ``{task: number}`` of TASK=NUMBER, where ``named`` are words for numbers."""
    found = {}
    for word in words:
        task, sign, text = word.partition('=')
        try:
            value = named[text] if text in named else float(text)
        except ValueError:
            value = math.nan
        if not (task and sign and math.isfinite(value)):
            kinds = ' or '.join([*named, 'a number'])
            raise ValueError(f'{option} {word}: expected TASK=VALUE, where VALUE is {kinds}')
        found[task] = value
    return found


def patterns(words: list[str]) -> dict[str, list[str]]:
    """Return ``{task: patterns}`` of [TASK=]PATTERN; '' stands for all other tasks."""
    found: dict[str, list[str]] = {}
    for word in words:
        task, sign, pattern = word.partition('=')
        named = bool(sign) and task.isidentifier()
        found.setdefault(task if named else '', []).append(pattern if named else word)
    return found or {'': list(PATTERNS)}


def main(argv: list[str] | None = None) -> None:
    """Score."""
    args = parse_args(argv)
    with exit_on_user_error():
        if not args.folder.is_dir():
            raise FileNotFoundError(f'there is no folder {args.folder}')
        folder = PredictionFolder(
            root=args.folder,
            patterns=patterns(args.pattern),
            units=numbers(args.units, '--units', UNITS),
            offsets=numbers(args.offset, '--offset', {}),
            resize=args.resize,
        )
        cfg = load_config(args.config, args.cfg_options, purpose='test')
        set_protocols(cfg, args.protocol)
        result = score_predictions(
            cfg,
            folder,
            tasks=args.tasks,
            backbone=args.backbone,
            progress=lambda indices: tqdm(indices, unit='image'),
        )
        result['scores'] = {key: value if math.isfinite(value) else None for key, value in result['scores'].items()}
        result = {
            'name': args.name or args.folder.resolve().name,
            'predictions': str(args.folder),
            'config': args.config,
            **result,
        }
        for score, value in result['scores'].items():
            protocol = result['protocols'].get(score.rpartition('/')[0], '')
            print(f'{score:24} {"-" if value is None else format(value, ".4f"):>10}  {protocol}')
        if args.out:
            args.out.parent.mkdir(parents=True, exist_ok=True)
            text = json.dumps(result, indent=2) + '\n'
            replace_file(args.out, lambda temporary: temporary.write_text(text))


if __name__ == '__main__':
    main()
