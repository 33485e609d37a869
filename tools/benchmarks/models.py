"""Time and memory of every config's model: forward, training step, and the neck beside a plain transcription of it.

    python tools/benchmarks/models.py ['PATTERN' ...] [--size 64 96] [--batch 2] [--save FILE] [--compare FILE]

A pattern is one of a config's path below ``configs/``, such as ``'demt/*_nyud'``; all configs by default. Each config
is measured in a process of its own, with weights and images of noise; images have ``--size`` whatever the config says.

``forward`` is a pass in evaluation mode without gradients; ``step`` a training step: forward, losses, backward, the
config's optimiser; ``peak`` the MB that a step adds at its peak to model and data, optimiser state of the first step
included. ``neck`` and ``reference`` are forward and backward of the neck alone and of its transcription in
``tests/models/necks/references.py``, where it has one; ``neck / reference`` is the median over rounds of one pass of
each, so that the load of a shared machine strikes both. Where a neck is slower than its transcription by more than
``--margin``, the exit code is 1.

``--compare`` prints each figure with its ratio to that of a file that ``--save`` wrote: below 1 is faster or less.
The file of ``--save`` is written anew after each config, and a run that is broken off prints the table of what it has.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import set_random_seed
from torch import Tensor, nn
from torch.nn import functional as F

from mtlbox.apis import CfgOptions, exit_on_user_error
from mtlbox.apis.children import start
from mtlbox.apis.errors import error_in
from mtlbox.apis.measuring import alternate, extra_peak_mb, median_ratio, median_seconds
from mtlbox.apis.tables import markdown_table
from mtlbox.config import load_config
from mtlbox.engine.checkpoint import replace_file
from mtlbox.models.layers.checks import at_least
from mtlbox.registry import MODELS, did_you_mean
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import Task

ROOT = Path(__file__).parents[2]
REFERENCES = ROOT / 'tests' / 'models' / 'necks' / 'references.py'
FIGURES = {'forward_s': 'forward s', 'step_s': 'step s', 'peak_mb': 'peak MB', 'neck_s': 'neck s'}
"""Keys of the JSON, and the heads of their columns; ``reference_s`` and ``neck_ratio`` beside them."""


def find(patterns: Sequence[str]) -> list[str]:
    """Return the configs whose path below ``configs/``, without suffix, fits a pattern.

    Raises:
        ValueError: A pattern fits none.
    """
    known = sorted(
        str(path.relative_to(ROOT / 'configs').with_suffix(''))
        for path in ROOT.glob('configs/*/*.py')
        if path.parent.name != '_base_'
    )
    for pattern in patterns:
        if not any(fnmatch(name, pattern) for name in known):
            raise ValueError(f'no config fits {pattern!r}.{did_you_mean(pattern, known)}')
    return [name for name in known if any(fnmatch(name, pattern) for pattern in patterns)]


def check_counts(args: argparse.Namespace, *names: str) -> None:
    """Raise ValueError unless the options of these names, and both sides of ``--size``, are 1 at least."""
    at_least(1, **{'--size': min(args.size), **{f'--{name}': getattr(args, name) for name in names}})


def resize(cfg: Config, size: tuple[int, int]) -> Config:
    """Fit ``cfg`` to images of ``size``, without weights from files."""
    cfg.model.backbone.init_cfg = None
    neck = cfg.model.get('neck') or {}
    if 'feature_size' in neck:
        stride = neck.get('feature_stride', 4)
        neck.feature_size = (-(-size[0] // stride), -(-size[1] // stride))
    if 'min_size' in cfg.model.data_preprocessor:
        cfg.model.data_preprocessor.min_size = size
    return cfg


def make_batch(tasks: Mapping[str, Task], size: tuple[int, int], images: int) -> dict[str, Any]:
    """Return images of noise and labels that are legal for every task: zeros and ones, or unit vectors."""
    samples = []
    for index in range(images):
        sample = MTLDataSample(metainfo={'sample_idx': index, 'ori_shape': size, 'img_shape': size})
        maps = {key: torch.rand(task.gt_channels, *size).round() for key, task in tasks.items()}
        maps = {key: F.normalize(x + 0.1, dim=0) if len(x) > 1 else x for key, x in maps.items()}
        sample.set_maps('gt', {key: x.to(tasks[key].dtype) for key, x in maps.items()})
        samples.append(sample)
    return {'inputs': [torch.randint(256, (3, *size), dtype=torch.uint8) for _ in samples], 'data_samples': samples}


def make_step(model: nn.Module, cfg: Config, data: dict[str, Any]) -> Callable[[], None]:
    """Return a function that trains ``model`` on ``data`` for a step."""
    settings = dict(cfg.optim_wrapper.optimizer)
    optimiser = getattr(torch.optim, settings.pop('type'))(model.parameters(), **settings)

    def step() -> None:
        model.train()
        total, _ = model.parse_losses(model(**data, mode='loss'))
        optimiser.zero_grad()
        total.backward()
        optimiser.step()

    return step


def make_neck_passes(model: nn.Module, inputs: Tensor) -> dict[str, Callable[[], None]]:
    """Return forward and backward passes of the neck and of its transcription; none where there is none."""
    spec = importlib.util.spec_from_file_location('references', REFERENCES)
    if spec is None or spec.loader is None or not REFERENCES.is_file():
        return {}
    references = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(references)
    neck = getattr(model, 'neck', None)
    if neck is None or not references.has_reference(neck):
        return {}
    reference = references.REFERENCES[type(neck).__name__]
    model.train()
    with torch.no_grad():
        maps = [x.requires_grad_() for x in model.backbone(inputs)]

    def passes(function: Callable[[Sequence[Tensor]], Mapping[str, Tensor]]) -> Callable[[], None]:
        return lambda: torch.stack([x.mean() for x in function(maps).values()]).sum().backward()

    return {'neck': passes(lambda x: neck(x).features), 'reference': passes(lambda x: reference(neck, x))}


def measure(args: argparse.Namespace, name: str) -> dict[str, Any]:
    """Measure one config, in this process."""
    torch.set_num_threads(args.threads)
    set_random_seed(0)
    size, device = (args.size[0], args.size[1]), torch.device(args.device)
    cfg = resize(load_config(ROOT / 'configs' / f'{name}.py', args.cfg_options), size)
    if args.channels_last:
        cfg.model.channels_last = cfg.model.data_preprocessor.channels_last = True
    model = MODELS.build(cfg.model).to(device)
    data = model.data_preprocessor(make_batch(model.tasks, size, args.batch), training=True)
    step = make_step(model, cfg, data)
    peak = extra_peak_mb(step, device=device)
    timing: dict[str, Any] = {'repeats': args.repeats, 'at_least': args.seconds, 'device': device}
    seconds = median_seconds({'step': step}, **timing)

    def forward() -> None:
        model.eval()
        with torch.no_grad():
            model(data['inputs'], mode='tensor')

    seconds |= median_seconds({'forward': forward}, **timing)
    passes = make_neck_passes(model, data['inputs'])
    figures: dict[str, Any] = {'config': name, 'peak_mb': round(peak, 1)}
    if passes:
        rounds = alternate(passes, **timing)
        seconds |= {key: statistics.median(values) for key, values in rounds.items()}
        figures['neck_ratio'] = round(median_ratio(rounds['neck'], rounds['reference']), 3)
    return figures | {f'{key}_s': round(x, 5) for key, x in seconds.items()}


def measure_apart(argv: Sequence[str], name: str) -> dict[str, Any]:
    """:func:`measure` in a fresh process; ``error`` in place of figures where it fails."""
    pipe = subprocess.PIPE
    process = start([sys.executable, str(Path(__file__)), *argv, '--one', name], stdout=pipe, stderr=pipe, text=True)
    out, said = process.communicate()
    if process.returncode:
        what = error_in(said) or f'exit code {process.returncode}; -9 means that memory ran out'
        return {'config': name, 'error': what}
    return json.loads(out.splitlines()[-1])


def read_saved(path: Path, settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the results by config of a file that ``--save`` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such file, or was measured with other settings than ``settings``, the layout aside.
    """
    try:
        saved = json.loads(path.read_text(encoding='utf-8'))
        theirs = {**saved['settings'], 'channels_last': None}
        results = {str(result['config']): dict(result) for result in saved['results']}
    except (ValueError, KeyError, TypeError) as error:
        what = 'is no JSON' if isinstance(error, ValueError) else 'lacks settings and results of configs'
        raise ValueError(f'{path}: {what}; --compare takes a file that --save of this tool wrote ({error})') from error
    if theirs != {**settings, 'channels_last': None}:
        raise ValueError(f'{path} was measured with {saved["settings"]}, this run has {settings}')
    return results


def measure_all(
    argv: Sequence[str], names: Sequence[str], *, settings: Mapping[str, Any], save: Path | None
) -> Iterator[dict[str, Any]]:
    """Measure one config after the other; ``save`` holds those that are done at any time."""
    results = []
    for name in names:
        results.append(measure_apart(argv, name))
        print(f'{name}: {results[-1].get("error", "done")}', file=sys.stderr, flush=True)
        yield results[-1]  # before it is written: a full disk takes nothing from the table
        if save is not None:
            text = json.dumps({'settings': settings, 'results': results}, indent=2) + '\n'
            replace_file(save, partial(Path.write_text, data=text, encoding='utf-8'))


def table(results: Sequence[Mapping[str, Any]], before: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table of results, with ratios to those of ``before``."""
    rows = []
    for result in results:
        cells = [f'`{result["config"]}`']
        for key in FIGURES:
            cells.append(_cell(result, before.get(result['config'], {}), key))
        reference = result.get('reference_s')
        cells += [f'{reference:.3f}', f'{result["neck_ratio"]:.2f}'] if reference else ['', '']
        rows.append(cells)
    return markdown_table(('config', *FIGURES.values(), 'reference s', 'neck / reference'), rows)


def _cell(result: Mapping[str, Any], before: Mapping[str, Any], key: str) -> str:
    if key not in result:
        return 'failed' if 'error' in result and key == 'forward_s' else ''
    text = f'{result[key]:.0f}' if key == 'peak_mb' else f'{result[key]:.3f}'
    return f'{text} ({result[key] / before[key]:.2f})' if before.get(key) else text


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('patterns', nargs='*', default=['*'], help='paths below configs/, without suffix')
    parser.add_argument('--size', type=int, nargs=2, default=[64, 96], metavar=('H', 'W'), help='default: 64 96')
    parser.add_argument('--batch', type=int, default=2, help='images of a step; default: 2')
    parser.add_argument('--repeats', type=int, default=3, help='passes at least; default: 3')
    parser.add_argument('--seconds', type=float, default=1.0, help='for how long passes are repeated; default: 1')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads(), help="default: torch's own choice")
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--channels-last', action='store_true', help='weights and images as NHWC')
    parser.add_argument('--margin', type=float, default=0.1, help='by how much a neck may be slower; default: 0.1')
    parser.add_argument('--save', type=Path, help='JSON file to write')
    parser.add_argument('--compare', type=Path, help='JSON file of an earlier run')
    parser.add_argument('--one', help=argparse.SUPPRESS)
    parser.add_argument(
        '--cfg-options', nargs='+', action=CfgOptions, metavar='KEY=VALUE', help="settings that replace the configs'"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 where a config fails or a neck is slower than its transcription."""
    given = list(sys.argv[1:] if argv is None else argv)
    args = parse_args(given)
    if args.one:
        with exit_on_user_error():
            print(json.dumps(measure(args, args.one)))
        return 0
    results: list[dict[str, Any]] = []
    with exit_on_user_error():
        check_counts(args, 'batch', 'threads', 'repeats')
        names = find(args.patterns)
        settings = {name: getattr(args, name) for name in ('size', 'batch', 'threads', 'device', 'channels_last')}
        before = read_saved(args.compare, settings) if args.compare else {}
        if args.save:
            args.save.parent.mkdir(parents=True, exist_ok=True)
            if args.save.is_dir():
                raise IsADirectoryError(f'--save {args.save} is a folder; name a file, such as {args.save}/run.json')
        try:
            results.extend(measure_all(given, names, settings=settings, save=args.save))
        finally:
            print(table(results, before), flush=True)
    slow = [result['config'] for result in results if result.get('neck_ratio', 0) > 1 + args.margin]
    failed = [result['config'] for result in results if 'error' in result]
    for what, which in (('slower than its transcription', slow), ('failed', failed)):
        if which:
            print(f'{what}: {", ".join(which)}', file=sys.stderr)
    return 1 if slow or failed else 0


if __name__ == '__main__':
    sys.exit(main())
