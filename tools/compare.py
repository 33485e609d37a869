"""Train several configs with several seeds, and write one table of their scores.

python tools/compare.py --seeds 0 1 2 --out work_dirs/compare                  the eight methods on rooms
python tools/compare.py CONFIG CONFIG --iters 100 --out work_dirs/short        two configs, a short schedule

Each run is ``tools/train.py`` in a process of its own, in OUT/CONFIG/seed_N. Started again, the command skips the runs
that are finished and goes on in one that was cut off; a folder that another config, other options or another seed has
written is refused. OUT/table.md is written anew after each run, OUT/table.json with the scores of every seed beside it.
Scores are those of the last validation, whether an earlier one was better or not. ``delta_m`` is that of the means
against the row of the STL config, where there is one. SIGTERM lets the run write a checkpoint before all ends.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mtlbox.apis import CfgOptions, exit_on_user_error
from mtlbox.apis.children import start
from mtlbox.apis.complexity import build_for_counting
from mtlbox.apis.tables import markdown_table
from mtlbox.config import config_hash, load_config
from mtlbox.datasets.layouts.writing import claim
from mtlbox.engine.checkpoint import replace_file
from mtlbox.evaluation import MTLEvaluator
from mtlbox.evaluation.functional import delta_m
from mtlbox.registry import EVALUATORS

ROOT = Path(__file__).parents[1]
METHODS = ('stl', 'mtl', 'pad_net', 'pap_net', 'concat', 'ctal', 'mti_net', 'ctal-ms')
MARKER = 'compare.json'
SCHEDULE = ('optim_wrapper', 'param_scheduler', 'train_cfg', 'train_dataloader', 'custom_hooks')
IN_MODEL = ('losses', 'weighting', 'data_preprocessor', 'tasks')


@dataclass
class Method:
    """A config of the table.

    Attributes:
        path: The config file.
        options: ``KEY=VALUE`` of all its runs.
        cfg: What it says, options applied.
        params: Its number of parameters.
        results: What its finished runs wrote, by seed.
    """

    path: Path
    options: list[str]
    cfg: Config
    params: int
    results: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of its row."""
        return self.path.stem

    def values(self, score: str) -> list[float]:
        """Return a score of each finished run; one that could not be computed is NaN."""
        found = [result['val']['scores'].get(score) for result in self.results.values()]
        return [float('nan') if value is None else value for value in found]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='*', metavar='CONFIG', help='config files (default: the methods on rooms)')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0], metavar='N', help='one run each (%(default)s)')
    parser.add_argument('--out', default='work_dirs/compare', help='folder of everything (%(default)s)')
    parser.add_argument('--iters', type=int, metavar='N', help='training steps, for data that is made on the fly')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='settings of all runs, as of tools/train.py'
    )
    parser.add_argument('--only-table', action='store_true', help='train nothing: the table of the finished runs')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is not trained yet and write the table; return 1 where a run failed."""
    args = parse_args(argv)
    command = shlex.join(['python', 'tools/compare.py', *(sys.argv[1:] if argv is None else argv)])
    out, seeds, failed = Path(args.out), list(dict.fromkeys(args.seeds)), []
    with exit_on_user_error(after_interrupt='The same command goes on from there.'):
        paths = [Path(path) for path in args.configs] or default_configs()
        methods = [read_method(path, args.iters, args.cfg_options) for path in paths]
        evaluator = check_comparable(methods)
        for seed in seeds:  # all methods of a seed first: what is there early is a whole table
            for method in methods:
                folder = out / method.name / f'seed_{seed}'
                result = finished(folder, method, seed)
                if result is None and not args.only_table:
                    if not train(method, seed, folder):
                        failed.append(f'{method.name}, seed {seed}')
                    result = finished(folder, method, seed)
                if result is not None:
                    method.results[seed] = result
                    write_table(out, methods, seeds, evaluator, command)
    print((out / 'table.md').read_text() if any(method.results for method in methods) else 'No run is finished.')
    for run in failed:
        print(f'error: {run} did not finish; see train.log in its folder', file=sys.stderr)
    return 1 if failed else 0


def default_configs() -> list[Path]:
    """Return the configs of the eight methods on rooms."""
    found = [next(ROOT.glob(f'configs/*/{method}_hrnet18_rooms.py')) for method in METHODS]
    return [path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path for path in found]


def read_method(path: Path, iters: int | None, options: Sequence[str]) -> Method:
    """Read a config with the options of all runs, those that ``iters`` stands for among them."""
    options = list(options)
    cfg = load_config(path, parsed(options), purpose='train')
    if iters is not None:
        if iters < 1 or 'length' not in cfg.train_dataloader.dataset or 'max_epochs' not in cfg.train_cfg:
            raise ValueError(
                f'--iters {iters}: it must be positive, and is for epochs over data sets with a length (rooms). '
                f'For {path}: --cfg-options train_cfg.max_epochs=N'
            )
        length = iters * cfg.train_dataloader.batch_size
        options += [f'train_dataloader.dataset.length={length}', 'train_cfg.max_epochs=1']
        cfg = load_config(path, parsed(options), purpose='train')
    params = sum(parameter.numel() for parameter in build_for_counting(cfg.model).parameters())
    return Method(path, options, cfg, params)


def parsed(options: Sequence[str]) -> dict[str, Any]:
    """Return ``KEY=VALUE`` texts as ``tools/train.py`` understands them."""
    parser = argparse.ArgumentParser(prog='tools/compare.py')
    parser.add_argument('--cfg-options', nargs='*', action=CfgOptions, default={})
    return parser.parse_args(['--cfg-options', *options]).cfg_options


def check_comparable(methods: Sequence[Method]) -> MTLEvaluator:
    """Return the evaluator of all methods.

    Raises:
        ValueError: Two configs have one name, their validations differ, or no primary scores are named.
    """
    first = methods[0]
    for method in methods[1:]:
        for key in ('val_dataloader', 'val_evaluator'):
            if method.cfg[key] != first.cfg[key]:
                raise ValueError(f'{method.path} has another {key} than {first.path}: their scores do not compare.')
    if len({method.name for method in methods}) < len(methods):
        raise ValueError('Two of the configs have one name; a config is named by its file.')
    if not first.cfg.val_evaluator.get('primary'):
        raise ValueError(f'{first.path}: val_evaluator.primary must name the score of each task that is compared.')
    return EVALUATORS.build({**first.cfg.val_evaluator, 'baseline': None})


def settings(method: Method, seed: int) -> dict[str, Any]:
    """Return what the marker of a run's folder holds."""
    return {'config': method.name, 'config_hash': config_hash(method.cfg), 'seed': seed}


def finished(folder: Path, method: Method, seed: int) -> dict[str, Any] | None:
    """Return the ``result.json`` of a run of these settings whose last validation is that of the training's end."""
    marker, path = folder / MARKER, folder / 'result.json'
    if not path.is_file() or not marker.is_file():
        return None
    if json.loads(marker.read_text(encoding='utf-8')) != settings(method, seed):
        return None
    result = json.loads(path.read_text(encoding='utf-8'))
    unit = 'epoch' if 'max_epochs' in method.cfg.train_cfg else 'iter'
    return result if result.get('val', {}).get(unit) == method.cfg.train_cfg[f'max_{unit}s'] else None


def train(method: Method, seed: int, folder: Path) -> bool:
    """Run ``tools/train.py``, from the last checkpoint on where there is one; return whether it succeeded.

    Raises:
        FileExistsError: Something else, or the same with other settings, is in ``folder``.
    """
    claim(folder, MARKER, settings(method, seed))
    command = [sys.executable, str(ROOT / 'tools' / 'train.py'), str(method.path), '--resume', '--seed', str(seed)]
    command += ['--work-dir', str(folder), *(['--cfg-options', *method.options] if method.options else [])]
    log = folder / 'train.log'
    print(f'{method.name}, seed {seed}: training; what it says goes to {log}', flush=True)
    with log.open('a', encoding='utf-8') as sink:
        process = start(command, stdout=sink, stderr=subprocess.STDOUT)
        try:
            return process.wait() == 0
        except BaseException:
            process.terminate()  # it writes a checkpoint
            process.wait()
            raise


def write_table(
    out: Path, methods: Sequence[Method], seeds: Sequence[int], evaluator: MTLEvaluator, command: str
) -> None:
    """Write ``table.md`` and ``table.json`` of the finished runs."""
    compared = {task: f'{task}/{score}' for task, score in methods[0].cfg.val_evaluator.primary.items()}
    signs = {task: evaluator.higher_is_better(score) for task, score in compared.items()}
    means = {
        method.name: {task: statistics.fmean(method.values(score)) for task, score in compared.items()}
        for method in methods
        if method.results
    }
    reference = next((m.name for m in methods if m.cfg.model.type == 'STL' and m.results), None)
    if reference is not None and min(means[reference].values()) <= 0:
        reference = None  # after too short a training there is no relative change
    gains = {name: delta_m(row, means[reference], signs) for name, row in means.items()} if reference else {}
    arrows = [f'{score} {"up" if signs[task] else "down"}' for task, score in compared.items()]
    rows = [
        [
            method.name,
            f'{method.params / 1e6:.3f} M',
            str(len(method.results)),
            *(spread(method.values(score)) for score in compared.values()),
            f'{gains[method.name]:+.2f}' if method.name in gains and method.name != reference else '',
        ]
        for method in methods
        if method.results
    ]
    table = markdown_table(['config', 'parameters', 'seeds', *arrows, 'delta_m'], rows)
    notes = footnotes(methods, seeds, command)
    content = {
        'command': command,
        'delta_m': gains,
        'rows': {
            m.name: {'parameters': m.params, 'mean': means[m.name], 'runs': m.results} for m in methods if m.results
        },
    }
    for name, text in (('table.md', table + '\n' + notes), ('table.json', json.dumps(content, indent=2) + '\n')):
        replace_file(out / name, lambda temporary, text=text: temporary.write_text(text, encoding='utf-8'))


def spread(values: Sequence[float]) -> str:
    """Return mean and, of several values, standard deviation, to four digits of the mean."""
    mean = statistics.fmean(values)
    digits = 2 if abs(mean) >= 10 else 4
    return f'{mean:.{digits}f}' + (f' ± {statistics.stdev(values):.{digits}f}' if len(values) > 1 else '')


def footnotes(methods: Sequence[Method], seeds: Sequence[int], command: str) -> str:
    """Return what the table's numbers are, and what they are not."""
    results = [result for method in methods for result in method.results.values()]

    def all_of(key: str) -> str:
        return ', '.join(sorted({str(result[key]) for result in results}))

    iters = sorted({result['val']['iter'] for result in results})
    what = (
        f'Mean ± standard deviation over seeds {", ".join(map(str, seeds))}' if len(seeds) > 1 else f'Seed {seeds[0]}'
    )
    lines = [
        f'{what}; last validation, after {", ".join(map(str, iters))} steps of '
        f'{methods[0].cfg.train_dataloader.batch_size} images; {all_of("device")}; commit {all_of("commit")}.',
        f'`{command}`',
    ]
    missing = [f'{m.name} (seed {seed})' for m in methods for seed in seeds if seed not in m.results]
    if missing:
        lines.append(f'Not finished: {", ".join(missing)}.')
    for method in methods[1:]:
        unlike = [*differences(methods[0].cfg, method.cfg, SCHEDULE)]
        unlike += [f'model.{key}' for key in differences(methods[0].cfg.model, method.cfg.model, IN_MODEL)]
        if unlike:
            lines.append(f'Not one schedule: {method.name} has another {", ".join(unlike)} than {methods[0].name}.')
    return '\n\n'.join(lines) + '\n'


def differences(one: Mapping[str, Any], other: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """Return which of ``keys`` have another value in ``other`` than in ``one``."""
    return [key for key in keys if one.get(key) != other.get(key)]


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
    sys.exit(main())
