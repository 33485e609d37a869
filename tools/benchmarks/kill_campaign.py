"""Kill a training again and again, resume it, and compare its end with that of an undisturbed one, bit by bit.

``python tools/benchmarks/kill_campaign.py --out work_dirs/campaign --kills 20``

A small network is trained on generated rooms with everything that has a state: dropout, live batch norm, augmentation,
persistent workers, averaged weights, learnt uncertainty, two schedulers, gradient accumulation that does not divide
an epoch. Each run is killed by ``kill -9`` (with all its processes) at a random moment of the training, every second
time while a checkpoint is being written, and resumed with ``--resume``. Weights, averaged weights, optimizer and the
best score must equal those of the undisturbed run. Exit code 1 where they do not.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mtlbox.engine import stop
from mtlbox.engine.checkpoint import read_checkpoint
from mtlbox.models.backbones import HRNet
from mtlbox.registry import BACKBONES

ROOT = Path(__file__).parents[2]
LOOPS = {
    'epoch': 'train_cfg = dict(max_epochs=4, val_interval=1)\ncheckpoint = dict(interval=1, max_keep_ckpts=2)',
    'epoch-iter': (
        'train_cfg = dict(max_epochs=4, val_interval=2)\n'
        'checkpoint = dict(interval=3, by_epoch=False, max_keep_ckpts=2)'
    ),
    'iter': (
        "train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=46, val_interval=12)\n"
        'checkpoint = dict(interval=4, by_epoch=False, max_keep_ckpts=2)\n'
        "train_dataloader = dict(sampler=dict(type='InfiniteSampler'))\n"
        'log_processor = dict(by_epoch=False)'
    ),
}
STARTED = 'Checkpoints will be saved'
"""What the log says when a training begins."""
CONFIG = """
_base_ = {base!r}
custom_imports = dict(imports=['kill_campaign'], allow_failed_imports=False)
{loop}
model = dict(
    backbone=dict(_delete_=True, type='CampaignBackbone', dropout=0.2),
    heads=dict(in_channels=60),
    weighting=dict(_delete_=True, type='UncertaintyWeighting'),
)
pipeline = [
    dict(type='RandomScaleCrop', scale=(1.0, 1.5), size=(32, 32)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotometricDistortion'),
    dict(type='PackMultiTaskInputs'),
]
train_dataloader = dict(
    batch_size=2, num_workers=2, persistent_workers=True, dataset=dict(length=24, size=(32, 32), pipeline=pipeline),
    {sampler}
)
val_dataloader = dict(batch_size=2, num_workers=1, dataset=dict(length=4, size=(32, 32)))
test_dataloader = val_dataloader
optim_wrapper = dict(accumulative_counts=5, optimizer=dict(lr=0.01))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=9),
    dict(type='MultiStepLR', milestones=[2, 3], gamma=0.5, by_epoch=True),
]
default_hooks = dict(logger=dict(interval=5), checkpoint=dict(save_best='depth/rmse', **checkpoint))
custom_hooks = [
    dict(type='SyncBuffersHook'),
    dict(type='EMAHook', momentum=0.1, evaluate=True),
    dict(type='PlainCheckpointHook'),
    dict(type='ResultHook'),
]
visualizer = dict(vis_backends=[])
"""


@BACKBONES.register_module()
class CampaignBackbone(HRNet):
    """The smallest HRNet, with dropout.

    Args:
        dropout: Share of each map that is dropped.
    """

    def __init__(self, *, dropout: float) -> None:
        stages = {
            f'stage{i}': {
                'num_modules': 1,
                'block': 'BASIC',
                'num_blocks': (1,) * i,
                'num_channels': (4, 8, 16, 32)[:i],
            }
            for i in range(1, 5)
        }
        super().__init__(arch=stages)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map images ``(B, 3, H, W)`` to four maps."""
        return tuple(self.dropout(features) for features in super().forward(x))


def write_config(folder: Path, loop: str) -> Path:
    """Write the campaign's config into ``folder`` for one of :data:`LOOPS`; return its path."""
    lines = LOOPS[loop].split('\n')
    sampler = next((line for line in lines if line.startswith('train_dataloader')), '')
    text = CONFIG.format(
        base=str(ROOT / 'configs/mtl/mtl_hrnet18_rooms.py'),
        loop='\n'.join(line for line in lines if line != sampler),
        sampler=sampler.removeprefix('train_dataloader = dict(').removesuffix(')'),
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'campaign_{loop}.py'
    path.write_text(text)
    return path


class Run:
    """A training in processes of their own, forked from this one, which has imported everything already.

    Args:
        config: The config file.
        work_dir: Its work directory; what the processes write goes to a file beside it.
        ranks: How many processes train.
        options: More options of ``tools/train.py``.
    """

    def __init__(self, *, config: Path, work_dir: Path, ranks: int = 1, options: tuple[str, ...] = ()) -> None:
        self.work_dir = work_dir
        self.code: int | None = None
        work_dir.parent.mkdir(parents=True, exist_ok=True)
        self._log = work_dir.with_suffix('.log')
        self._log.touch()
        self._from = self._log.stat().st_size
        self.pid = _fork(lambda: self._lead([str(config), '--work-dir', str(work_dir), *options], ranks))

    def _lead(self, arguments: list[str], ranks: int) -> int:
        """Train, or start the ranks and wait for them; where one fails the others are killed."""
        os.setsid()
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if ranks == 1:
            return _train(arguments)
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = str(probe.getsockname()[1])
        group = {'WORLD_SIZE': str(ranks), 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': port}
        members = []
        for rank in map(str, range(ranks)):
            os.environ.update(group, RANK=rank, LOCAL_RANK=rank)
            members.append(_fork(lambda: _train([*arguments, '--launcher', 'pytorch'])))
        (self._log.parent / f'{self.work_dir.name}.ranks').write_text(' '.join(map(str, members)))
        codes = []
        while members:
            pid, status = os.wait()
            members.remove(pid)
            codes.append(os.waitstatus_to_exitcode(status))
            if codes[-1] not in (0, stop.EXIT_CODE):
                os.killpg(0, signal.SIGKILL)
        return max(codes)

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def output(self) -> str:
        """Return what this run has written so far."""
        return self._log.read_bytes()[self._from :].decode(errors='replace')

    def wait_for(self, words: str, seconds: float = 600) -> bool:
        """Wait until the run has written ``words``; return False where it ended before that."""
        end = time.monotonic() + seconds
        while words not in self.output():
            if self.poll() is not None:
                return False
            if time.monotonic() > end:
                raise TimeoutError(f'{words!r} was not written in {seconds} s:\n{self.output()[-2000:]}')
            time.sleep(0.02)
        return True

    def wait_for_writing(self, seconds: float) -> bool:
        """Wait until a checkpoint is being written; return False where none was within ``seconds``."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.poll() is None:
            if any(name.endswith('.tmp') for name in os.listdir(self.work_dir)):
                return True
        return False

    def kill(self) -> None:
        """``kill -9`` the process and all that it started."""
        os.killpg(self.pid, signal.SIGKILL)
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def finish(self, seconds: float = 900, code: int = 0) -> None:
        """Wait for the end; raise RuntimeError where it is not that with exit code ``code``."""
        end = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > end:
                self.kill()
            time.sleep(0.02)
        if self.code != code:
            raise RuntimeError(f'{self.work_dir} ended with {self.code}:\n{self.output()[-4000:]}')


def _fork(work: Callable[[], int]) -> int:
    """Run ``work`` in a forked process, which ends with the code that it returns; return the process's id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        code = work()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _train(arguments: list[str]) -> int:
    specification = importlib.util.spec_from_file_location('train', ROOT / 'tools' / 'train.py')
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.main(arguments) or 0


def differences(one: Path, other: Path) -> list[str]:
    """Return what differs between the last checkpoints and the best scores of two finished runs."""
    states = [read_checkpoint((folder / 'last_checkpoint').read_text()) for folder in (one, other)]
    different = []
    for section in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers'):
        flat = [dict(flatten(state[section], section)) for state in states]
        keys = flat[0].keys() | flat[1].keys()
        different += [key for key in sorted(keys) if not equal(flat[0].get(key), flat[1].get(key))]
    results = [json.loads((folder / 'result.json').read_text()) for folder in (one, other)]
    return different + [f'result.json: {key}' for key in ('best', 'val') if results[0][key] != results[1][key]]


def flatten(value: Any, name: str) -> list[tuple[str, Any]]:
    """Return (name, leaf) of nested dicts and lists."""
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in flatten(item, f'{name}.{key}')]
    if isinstance(value, (list, tuple)):
        return [pair for key, item in enumerate(value) for pair in flatten(item, f'{name}.{key}')]
    return [(name, value)]


def equal(one: Any, other: Any) -> bool:
    """Say whether two leaves are the same, bit by bit."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return (
            one.dtype == other.dtype and one.shape == other.shape and one.numpy().tobytes() == other.numpy().tobytes()
        )
    return one == other


def campaign(out: Path, loop: str, ranks: int, kills: int, rng: random.Random) -> dict[str, Any]:
    """Run one campaign; return what happened."""
    config = write_config(out, loop)
    reference = out / f'{loop}-{ranks}-undisturbed'
    run = Run(config=config, work_dir=reference, ranks=ranks)
    run.wait_for(STARTED)
    started = time.monotonic()
    run.finish()
    length = time.monotonic() - started
    report: dict[str, Any] = dict(loop=loop, ranks=ranks, kills=0, while_writing=0, finished=0, different=[])
    attempt = 0
    while report['kills'] < kills:
        work_dir = out / f'{loop}-{ranks}-killed-{attempt}'
        attempt += 1
        deaths = 0
        while True:
            # a run that has survived its share of deaths may end, so that the campaign does
            may_end = deaths >= 8 or report['kills'] >= kills
            run = Run(config=config, work_dir=work_dir, ranks=ranks, options=('--resume',))
            if may_end or not run.wait_for(STARTED):
                run.finish()
                break
            writing = deaths % 2 == 1 and run.wait_for_writing(length)
            time.sleep(rng.uniform(0, 0.02 if writing else length * 0.6))
            if run.poll() is not None:
                run.finish()
                break
            run.kill()
            deaths += 1
            report['kills'] += 1
            report['while_writing'] += writing
        report['finished'] += 1
        report['different'] += [f'{work_dir.name}: {name}' for name in differences(reference, work_dir)]
    return report


def main(argv: list[str] | None = None) -> int:
    """Run campaigns; return 1 where a run ended otherwise than the undisturbed one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', required=True, help='folder for the runs; must not exist')
    parser.add_argument('--loops', nargs='+', choices=list(LOOPS), default=list(LOOPS), help='how to train')
    parser.add_argument('--ranks', nargs='+', type=int, default=[1, 2], help='numbers of processes')
    parser.add_argument('--kills', type=int, default=10, help='kills per loop and number of processes')
    parser.add_argument('--seed', type=int, default=0, help='seed of the moments')
    args = parser.parse_args(argv)
    out = Path(args.out).resolve()
    out.mkdir(parents=True)
    torch.set_num_threads(1)
    os.environ.update(OMP_NUM_THREADS='1', MTLBOX_TRACEBACK='1')
    sys.modules['kill_campaign'] = sys.modules[__name__]  # which the config names in custom_imports
    rng = random.Random(args.seed)
    reports = []
    for ranks in args.ranks:
        for loop in args.loops:
            reports.append(campaign(out, loop, ranks, args.kills, rng))
            print(json.dumps(reports[-1]), flush=True)
    (out / 'campaign.json').write_text(json.dumps(reports, indent=2) + '\n')
    return 1 if any(report['different'] for report in reports) else 0


if __name__ == '__main__':
    sys.exit(main())
