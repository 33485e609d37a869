"""Draw samples of a config's data set with every task, as they are on disk and as training sees them.

Of several data sets, each is drawn.

python tools/visualize_data.py CONFIG [--split train|val] [--num N] [--out DIR] [--seed N]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mmengine.runner import set_random_seed

from mtlbox.apis import CfgOptions
from mtlbox.config import load_config
from mtlbox.datasets import JointDataset, MultiTaskDataset
from mtlbox.datasets.image_file import write_png
from mtlbox.registry import DATASETS
from mtlbox.tasks.base import Array
from mtlbox.visualization import draw_tasks, stack_pictures


def build_datasets(cfg: Any, split: str) -> dict[str, MultiTaskDataset]:
    """Build the data sets of ``split`` by name, or the one under ''; wrappers such as RepeatDataset are taken off."""
    loader = cfg.get(f'{split}_dataloader')
    if loader is None:
        raise ValueError(f'The config has no {split}_dataloader.')
    config = loader['dataset']
    while 'dataset' in config:
        config = config['dataset']
    dataset = DATASETS.build(config)
    if isinstance(dataset, JointDataset):
        return dataset.datasets
    if not isinstance(dataset, MultiTaskDataset):
        raise ValueError(f'{type(dataset).__name__} is not a multi-task data set, nor a wrapper of one.')
    return {'': dataset}


def draw_sample(dataset: MultiTaskDataset, index: int) -> Array:
    """Draw sample ``index`` before and after the pipeline, RGB uint8."""
    before = dataset.load_sample(index)
    draw = partial(draw_tasks, tasks=dataset.tasks, palettes=dataset.metainfo['palettes'])
    pictures = [draw(before['img'], {'before': before['gt']}, title='image: before')]
    packed = dataset[index]
    if 'inputs' in packed:
        truth = packed['data_samples'].gt
        after = {
            key: task.unpack(truth.get(key).data) for key, task in dataset.tasks.items() if truth.get(key).labelled
        }
        image = packed['inputs'].numpy().transpose(1, 2, 0)  # (3, H, W) -> (H, W, 3)
        pictures.append(draw(image, {'after': after}, title='image: after'))
    return stack_pictures(pictures)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', metavar='CONFIG')
    parser.add_argument('--split', choices=('train', 'val'), default='train', help='(%(default)s)')
    parser.add_argument(
        '--num',
        type=int,
        default=8,
        metavar='N',
        help='how many samples of each data set, from the first (%(default)s)',
    )
    parser.add_argument('--out', type=Path, default=Path('work_dirs/data'), metavar='DIR', help='(%(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of the augmentation (%(default)s)')
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions, help='key=value of the config to change')
    args = parser.parse_args(argv)
    try:
        datasets = build_datasets(load_config(args.config, args.cfg_options), args.split)
        args.out.mkdir(parents=True, exist_ok=True)
        set_random_seed(args.seed)
        for name, dataset in datasets.items():
            count = min(max(args.num, 0), len(dataset))
            for index in range(count):
                path = args.out / f'{"_".join(filter(None, (args.split, name)))}_{index}.png'
                write_png(path, draw_sample(dataset, index))
            print(f'{count} pictures of {", ".join(filter(None, (name, repr(dataset))))} in {args.out}')
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
