"""Train a config with several seeds: ``python tools/run_seeds.py CONFIG --seeds 0 1 2``.

Each seed has the folder ``seed_N`` in the work directory, whose ``result.json`` gets the mean and the standard
deviation of all scores; ``tools/leaderboard.py`` shows both. Called again, finished seeds are left alone and a seed
that was stopped goes on from its last checkpoint; more seeds may be asked for. Options that are not named below go to
``tools/train.py``, e.g. ``--cfg-options model.neck.gamma=0.1``. Exit codes are those of ``tools/train.py``: after 75,
call it again. With ``--processes``, torchrun gives 1 for whatever ended a process, SIGTERM too: call it again if it was
that.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from mtlbox.apis import exit_on_user_error
from mtlbox.apis.children import start
from mtlbox.config import config_hash, load_config
from mtlbox.engine.checkpoint import replace_file
from mtlbox.engine.stop import EXIT_CODE
from mtlbox.evaluation.seeds import combine_seeds
from mtlbox.leaderboard.results import read_result

TOOLS = Path(__file__).parent
DONE = 'done'
"""File in the folder of a seed that says it is finished."""


def parse_args(argv: list[str] | None = None) -> tuple[argparse.Namespace, list[str]]:
    """Read the command line; return our options, and those of ``tools/train.py``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--seeds', type=int, nargs='+', required=True, metavar='N', help='the seeds')
    parser.add_argument('--work-dir', type=Path, help='where everything is written; work_dirs/CONFIG_seeds by default')
    parser.add_argument(
        '--processes', type=int, metavar='N', help='train each seed by tools/dist_train.sh with N of them'
    )
    return parser.parse_known_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Train what is missing, one seed after the other, and combine."""
    args, options = parse_args(argv)
    with exit_on_user_error(after_interrupt='The same command goes on from there.'):
        check(args, options)
        work_dir = args.work_dir or Path('work_dirs', f'{Path(args.config).stem}_seeds')
        if work_dir.exists() and not work_dir.is_dir():
            raise NotADirectoryError(f'--work-dir {work_dir} is a file; name a folder')
        work_dir.mkdir(parents=True, exist_ok=True)
        settings = {
            'config': args.config,
            'config_hash': config_hash(load_config(args.config)),
            'options': options,
            'processes': args.processes,
        }
        config = claim(work_dir, settings)
        check_finished(work_dir)
        for seed in args.seeds:
            code = train(config, seed, work_dir / f'seed_{seed}', args.processes, options)
            if code:
                print(f'seed {seed} ended with exit code {code}{how_to_go_on(code, args.processes)}', file=sys.stderr)
                sys.exit(code)
        finished = sorted(seed for seed, folder in seeds_in(work_dir).items() if (folder / DONE).is_file())
        result = combine_seeds({seed: work_dir / f'seed_{seed}' / 'result.json' for seed in finished})
        text = json.dumps(result, indent=2) + '\n'
        replace_file(work_dir / 'result.json', lambda temporary: temporary.write_text(text))
        report(result, work_dir / 'result.json')


def check(args: argparse.Namespace, options: list[str]) -> None:
    """Refuse what could not be run or told apart."""
    if len(set(args.seeds)) < len(args.seeds):
        raise ValueError(f'--seeds names a seed twice: {args.seeds}')
    if min(args.seeds) < 0:
        raise ValueError(f'--seeds must be 0 at least, got {min(args.seeds)}')
    if args.processes is not None and args.processes < 1:
        raise ValueError(f'--processes must be 1 at least, got {args.processes}')
    if not Path(args.config).is_file():
        raise FileNotFoundError(f'there is no config {args.config}')
    for option in options:
        if option.partition('=')[0] in ('--seed', '--resume') or option.startswith('randomness.seed='):
            raise ValueError(f'{option} is set by this tool: give --seeds')


def how_to_go_on(code: int, processes: int | None) -> str:
    """Say that a second call goes on, where one does: after a stop, which torchrun does not tell from a failure."""
    if code == EXIT_CODE:
        return '; call this again to go on'
    return '; if it was stopped, not in error, call this again to go on' if code == 1 and processes is not None else ''


def check_finished(work_dir: Path) -> None:
    """Refuse a folder in which a finished seed has lost its result, before others are trained."""
    for folder in seeds_in(work_dir).values():
        path = folder / 'result.json'
        if (folder / DONE).is_file() and not path.is_file():
            raise FileNotFoundError(
                f'{path} is gone, though its seed is finished: put it back, or remove {folder / DONE} to train it again'
            )


def seeds_in(work_dir: Path) -> dict[int, Path]:
    """The folders of seeds by their seed; others, such as a copy ``seed_0_backup``, are not ours."""
    found = {folder: re.fullmatch('seed_(0|[1-9][0-9]*)', folder.name) for folder in work_dir.glob('seed_*')}
    return {int(match[1]): folder for folder, match in found.items() if match}


def claim(work_dir: Path, settings: dict[str, Any]) -> str:
    """Say what the folder's seeds are runs of; return the path of the config as it was written first.

    Raises:
        ValueError: They are runs of something else and one of them is finished or has a checkpoint, or what was said of
            them cannot be read.
    """
    path = work_dir / 'settings.json'
    if path.is_file():
        before = dict(read_result(path))
        config = str(before.get('config'))
        is_same = Path(config).resolve() == Path(settings['config']).resolve()
        same = {**settings, 'config': config} if is_same else settings
        if {**same, **before} == same:  # what an older version did not note is not known
            return config
        if any(
            (folder / name).is_file() for folder in seeds_in(work_dir).values() for name in (DONE, 'last_checkpoint')
        ):
            raise ValueError(
                f'{work_dir} has seeds of other settings, {before}, not of {settings}: give another --work-dir'
            )
    replace_file(path, lambda temporary: temporary.write_text(json.dumps(settings, indent=2) + '\n'))
    return str(settings['config'])


def train(config: str, seed: int, work_dir: Path, processes: int | None, options: list[str]) -> int:
    """Train a seed unless it is finished, and return the exit code; the signals that stop a run reach it."""
    if (work_dir / DONE).is_file():
        print(f'seed {seed} is finished already')
        return 0
    program = [sys.executable, str(TOOLS / 'train.py'), config]
    if processes is not None:
        program = [str(TOOLS / 'dist_train.sh'), config, str(processes)]
    resume = ['--resume'] if (work_dir / 'last_checkpoint').is_file() else []
    command = [*program, '--work-dir', str(work_dir), '--seed', str(seed), *resume, *options]
    print(f'seed {seed}: {" ".join(command)}', flush=True)
    handled = (signal.SIGTERM, signal.SIGUSR1)
    child: subprocess.Popen | None = None

    def forward(number: int, frame: Any) -> None:
        if child is not None:
            child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in handled}
    try:
        child = start(command, env={**os.environ, 'PYTHON': sys.executable})  # of tools/dist_train.sh
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if code == 0:
        (work_dir / DONE).touch()
    return code if code >= 0 else 128 - code


def report(result: dict[str, Any], path: Path) -> None:
    """Print mean and deviation of each score."""
    count = len(result['seeds'])
    print(f'{path}: {count} seed{"s"[: count != 1]}, mean ± standard deviation')
    for name, mean in result['scores'].items():
        deviation = result['std'][name]
        print(
            f'  {name:20} '
            + ('-' if mean is None else f'{mean:.4f}' + ('' if deviation is None else f' ± {deviation:.4f}'))
        )


if __name__ == '__main__':
    main()
