"""Print a config's parameters, multiply-accumulate operations (MACs) and activations, for one image.

python tools/analysis_tools/get_complexity.py CONFIG [--shape H W] [--json] [--cfg-options KEY=VALUE ...]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

import torch

from mtlbox.apis import CfgOptions, exit_on_user_error
from mtlbox.apis.complexity import count_complexity, logits
from mtlbox.config import load_config
from mtlbox.registry import MODELS


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(
        description='Print parameters, MACs (with and without attention products) and activations of a config, per '
        'image. Published figures of the CTAL family are those of its dense form: --cfg-options model.neck.impl=dense.'
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--shape', type=int, nargs=2, metavar=('H', 'W'), help="image size in pixels (default: the config's input_size)"
    )
    parser.add_argument('--json', action='store_true', help='print JSON with plain numbers instead of a table')
    parser.add_argument(
        '--cfg-options', nargs='+', action=CfgOptions, metavar='KEY=VALUE', help="settings that replace the config's"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Count and print."""
    args = parse_args(argv)
    with exit_on_user_error():
        cfg = load_config(args.config, args.cfg_options, purpose='count')
        shape = args.shape or cfg.get('input_size')
        if shape is None:
            raise ValueError(f'{args.config} has no input_size; give the image size as --shape H W.')
        height, width = shape
        if height < 1 or width < 1:
            raise ValueError(f'--shape must be two positive numbers of pixels, H W, but is {height} {width}.')
        model = MODELS.build(cfg.model)
        complexity = count_complexity(model, torch.empty(1, 3, height, width, device='meta'), forward=logits)
        if args.json:
            print(json.dumps(complexity.to_dict(), indent=2))
        else:
            print(args.config, complexity.to_text(), sep='\n')


if __name__ == '__main__':
    main()
