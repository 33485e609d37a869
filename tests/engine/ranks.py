"""A program that trains a tiny model as one of several ranks; the tests run it twice at once, and its functions alone.

``python ranks.py FOLDER SCENARIO...`` with torchrun's variables set. A module of tests has no name under which a
spawned process could import it, so this is a file of its own.
"""

from __future__ import annotations

import copy
import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook

from mtlbox.config import load_config
from mtlbox.engine import MTLRunner, build_runner
from mtlbox.engine.checkpoint import read_checkpoint
from mtlbox.engine.hooks import NonFiniteLossError
from mtlbox.models.heads import HighResolutionHead
from mtlbox.registry import HEADS, HOOKS, MODELS, TRANSFORMS

ROOT = Path(__file__).parents[2]
GROUP_NORM = dict(type='GN', num_groups=2)
BATCH = 4


@TRANSFORMS.register_module(force=True)
class DropLabels(BaseTransform):
    """Takes labels away by sample: depth of every third one, a part of the classes that grows with the index.

    Args:
        one_sided: Take the normals of odd samples, which are those of rank 1, and all depth.
    """

    def __init__(self, one_sided: bool = False) -> None:
        self.one_sided = one_sided

    def transform(self, sample: dict[str, Any]) -> dict[str, Any]:
        index, gt = sample['sample_idx'], sample['gt']
        if self.one_sided:
            del gt['depth']
            if index % 2:
                del gt['normals']
            return sample
        if index % 3 == 0:
            del gt['depth']
        gt['semseg'] = gt['semseg'].copy()
        gt['semseg'][: 3 * (index % 10)] = 255
        return sample


@TRANSFORMS.register_module(force=True)
class Poison(BaseTransform):
    """Gives sample 9 a depth whose sum over pixels is infinite: in order, iteration 3; of two ranks, the second's."""

    def transform(self, sample: dict[str, Any]) -> dict[str, Any]:
        if sample['sample_idx'] == 9:
            sample['gt']['depth'] = np.full_like(sample['gt']['depth'], 3e38)
        return sample


@HEADS.register_module(force=True)
class DropoutHead(HighResolutionHead):
    """A head whose step depends on the random state."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.nn.functional.dropout(features, 0.3, self.training))


@HOOKS.register_module(force=True)
class RecordHook(Hook):
    """Keeps what is logged of each step, and the parameters from before the first."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []
        self.start: dict[str, torch.Tensor] = {}
        self.after_step: Callable[[], None] = lambda: None

    def before_train(self, runner: Any) -> None:
        parameters = dict(unwrapped(runner).named_parameters())
        state = unwrapped(runner).state_dict()  # whole, also where the parameters are divided
        self.start = {key: value.clone() for key, value in state.items() if key in parameters}

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        self.steps.append({key: float(value) for key, value in outputs.items()})
        self.after_step()


def config(folder: Path, name: str, norm: dict | None = GROUP_NORM, **drop: Any) -> Config:
    """A tiny model on 32x64 rooms, a batch of four in all, two epochs of three steps, by plain SGD."""
    cfg = tiny('mtl_hrnet18_rooms', folder, name, norm)
    for loader, length in ((cfg.train_dataloader, 12), (cfg.val_dataloader, 5)):
        loader.dataset.length, loader.dataset.size = length, (32, 64)
    pipeline = cfg.train_dataloader.dataset.pipeline
    cfg.train_dataloader.dataset.pipeline = [dict(type='DropLabels', **drop), pipeline[-1]]
    return cfg


def joint_config(folder: Path, name: str) -> Config:
    """The same on two data sets of rooms, in turns, two epochs of six steps."""
    cfg = tiny('mtl_hrnet18_rooms_joint', folder, name, GROUP_NORM)
    for loader, lengths in ((cfg.train_dataloader, (6, 10)), (cfg.val_dataloader, (3, 4))):
        sizes = ((32, 64), (64, 32))
        for dataset, length, size in zip(loader.dataset.datasets.values(), lengths, sizes):
            dataset.length, dataset.size, dataset.pipeline = length, size, [dataset.pipeline[-1]]
    cfg.train_dataloader.batch_sampler.ratios = dict(scenes=1, people=1)
    cfg.optim_wrapper.optimizer = dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=0.01)
    return cfg


def tiny(base: str, folder: Path, name: str, norm: dict | None) -> Config:
    """A config of MTL on rooms with a tiny network and batches of four in all."""
    cfg = load_config(ROOT / f'configs/mtl/{base}.py')
    stages = {f'stage{i}': dict(num_modules=1, block='BASIC', num_blocks=(1,) * i) for i in range(1, 5)}
    for i, stage in enumerate(stages.values(), start=1):
        stage['num_channels'] = tuple(4 * 2**j for j in range(i))
    cfg.model.backbone = dict(type='HRNet', arch=stages, norm_cfg=norm or dict(type='BN'))
    cfg.model.heads = dict(type='HighResolutionHead', in_channels=60, norm_cfg=norm)
    cfg.model.weighting = dict(type='UncertaintyWeighting')
    cfg.optim_wrapper = dict(
        type='OptimWrapper',
        optimizer=dict(type='SGD', lr=0.05, momentum=0.9),
        clip_grad=dict(max_norm=1.0),
        accumulative_counts=1,
    )
    cfg.param_scheduler = None
    cfg.train_cfg.max_epochs = 2
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.batch_size = BATCH // get_world_size()
        loader.num_workers, loader.persistent_workers = 0, False
    cfg.default_hooks.logger.interval = 1000
    cfg.default_hooks.checkpoint = None
    cfg.custom_hooks = [dict(type='SyncBuffersHook'), dict(type='PlainCheckpointHook'), dict(type='RecordHook')]
    cfg.visualizer = None
    cfg.work_dir = str(folder / name)
    cfg.experiment_name = f'{name}-{folder.name}-{get_world_size()}'
    cfg.launcher = 'pytorch' if get_world_size() > 1 else 'none'
    cfg.log_level = 'WARNING'
    return cfg


def outcome(runner: MTLRunner) -> dict[str, Any]:
    """The state of this rank's model, what was logged, and which parameters are no longer what they were."""
    state, start = unwrapped(runner).state_dict(), recorder(runner).start
    moved = [key for key, value in start.items() if not value.equal(state[key])]
    return {'state': state, 'steps': recorder(runner).steps, 'moved': moved}


def recorder(runner: MTLRunner) -> RecordHook:
    """The runner's RecordHook; known by its name, for several tests may have loaded this file."""
    return next(hook for hook in runner.hooks if type(hook).__name__ == 'RecordHook')


def unwrapped(runner: MTLRunner) -> torch.nn.Module:
    return getattr(runner.model, 'module', runner.model)


def tool(name: str) -> Any:
    """A program of ``tools/`` as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / 'tools' / f'{name}.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def train(cfg: Config) -> dict[str, Any]:
    """Train without validation and return the outcome."""
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    runner = build_runner(cfg)
    runner.train()
    return outcome(runner)


def group_norm(folder: Path) -> Any:
    return train(config(folder, 'group_norm'))


def norm_eval(folder: Path) -> Any:
    """Frozen batch norm, two batches accumulated per step."""
    cfg = config(folder, 'norm_eval')
    cfg.optim_wrapper.accumulative_counts = 2
    cfg.model.backbone = dict(cfg.model.backbone, norm_cfg=dict(type='BN'), norm_eval=True)
    return train(cfg)


def one_sided(folder: Path) -> Any:
    cfg = config(folder, 'one_sided', one_sided=True)
    cfg.train_dataloader.sampler.shuffle = False
    return train(cfg)


def skipped(folder: Path) -> Any:
    """As ``one_sided``, but the task that nobody has a label for is left out, which weight decay would move."""
    cfg = config(folder, 'skipped', one_sided=True)
    cfg.train_dataloader.sampler.shuffle = False
    cfg.model.skip_unlabelled = True
    cfg.optim_wrapper.optimizer = dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=0.01)
    return train(cfg)


def joint(folder: Path) -> Any:
    """Two data sets in turns through MTFormer with its contrast, each scored apart at the end.

    One epoch: after some more steps a ReLU before large gradients is 0 in the one run and above in the other.
    """
    cfg = joint_config(folder, 'joint')
    cfg.train_cfg.max_epochs = 1
    cfg.model.neck = dict(
        type='MTFormer',
        in_channels=(4, 8, 16, 32),
        channels=16,
        num_heads=2,
        num_blocks=(1, 1, 1),
        contrast='nce_bank',
        contrast_weight=0.5,
        contrast_options=dict(num_samples=16, num_negatives=5),
    )
    cfg.model.heads = dict(type='HighResolutionHead', in_channels=16, norm_cfg=GROUP_NORM)
    runner = build_runner(cfg)
    runner.train()
    return {**outcome(runner), 'scores': scores_of(runner)}


def joint_first_step(folder: Path) -> Any:
    """What the first batch, of one data set, changes."""
    cfg = joint_config(folder, 'joint_first_step')
    cfg.train_dataloader.batch_sampler.epoch_length, cfg.train_cfg.max_epochs = 1, 1
    return train(cfg)


def scores_of(runner: MTLRunner) -> dict[str, float]:
    """The scores of the last validation."""
    hub = runner.message_hub
    return {key: float(hub.get_scalar(f'val/{key}').current()) for key in runner.val_evaluator.score_names()}


def contrast(folder: Path, kind: str, **options: Any) -> Any:
    """MTFormer, whose contrast compares the images of all ranks; its weight is such that it is felt."""
    cfg = config(folder, f'contrast_{kind}')
    cfg.model.neck = dict(
        type='MTFormer',
        in_channels=(4, 8, 16, 32),
        channels=16,
        num_heads=2,
        num_blocks=(1, 1, 2),
        contrast=kind,
        contrast_weight=0.5,
        contrast_options=options,
    )
    cfg.model.heads = dict(type='HighResolutionHead', in_channels=16, norm_cfg=GROUP_NORM)
    return train(cfg)


def contrast_bank(folder: Path) -> Any:
    return contrast(folder, 'nce_bank', num_samples=12, num_negatives=5)


def contrast_batch(folder: Path) -> Any:
    return contrast(folder, 'info_nce_batch')


def live_batch_norm(folder: Path) -> Any:
    cfg = config(folder, 'live_batch_norm', norm=None)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.5))
    runner = build_runner(cfg)
    runner.train()
    return {**outcome(runner), 'scores': scores_of(runner)}


def channels_last(folder: Path) -> Any:
    """Train one epoch with weights as NHWC and an average, resume for another without."""
    cfg = config(folder, 'channels_last')
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.5))
    return train_in_two_parts(cfg, None, None, channels_last=(True, False))


def fsdp(folder: Path) -> Any:
    """Train one epoch, resume for another."""
    wrapper = dict(type='FSDP')
    return train_in_two_parts(config(folder, 'fsdp'), wrapper, wrapper)


def fsdp_from_plain(folder: Path) -> Any:
    """Train one epoch without FSDP, resume for another with it."""
    return train_in_two_parts(config(folder, 'fsdp_from_plain'), None, dict(type='FSDP'))


def zero(folder: Path) -> Any:
    """Train one epoch with DeepSpeed, resume for another."""
    cfg = config(folder, 'zero')
    cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.5))
    return train_in_two_parts(cfg, dict(type='DeepSpeed', stage=1), dict(type='DeepSpeed', stage=2))


def zero_from_plain(folder: Path) -> Any:
    """Train one epoch without DeepSpeed, resume for another with it."""
    return train_in_two_parts(config(folder, 'zero_from_plain'), None, dict(type='DeepSpeed'))


def plain_from_zero(folder: Path) -> Any:
    """Train one epoch with DeepSpeed, resume for another without it."""
    return train_in_two_parts(config(folder, 'plain_from_zero'), dict(type='DeepSpeed'), None)


def accumulation(folder: Path, wrapper: dict | None = None) -> Any:
    """Three batches in steps of two, by AdamW in two groups: the last step of all is of one batch."""
    cfg = config(folder, f'accumulation_{bool(wrapper)}')
    cfg.optim_wrapper = dict(
        type='OptimWrapper',
        optimizer=dict(type='AdamW', lr=0.001, weight_decay=0.01),
        accumulative_counts=2,
        clip_grad=dict(max_norm=0.5),
        paramwise_cfg=dict(norm_decay_mult=0.0),
    )
    cfg.train_cfg.max_epochs = 1
    cfg.model_wrapper_cfg = wrapper
    return train(cfg)


def zero_accumulation(folder: Path) -> Any:
    return accumulation(folder, dict(type='DeepSpeed'))


def train_in_two_parts(
    cfg: Config, *wrappers: dict | None, channels_last: tuple[bool, bool] = (False, False)
) -> dict[str, Any]:
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)
    steps: list[dict[str, float]] = []
    for epoch, wrapper in enumerate(wrappers, start=1):
        part = copy.deepcopy(cfg)
        part.model_wrapper_cfg, part.channels_last = wrapper, channels_last[epoch - 1]
        part.train_cfg.max_epochs, part.resume = epoch, epoch > 1
        part.experiment_name = f'{cfg.experiment_name}-{epoch}'
        result = train(part)
        steps += result['steps']
    return {'state': result['state'], 'steps': steps}


def poisoned(folder: Path) -> Any:
    """Train until the guard stops it, then repeat the step from what it left."""
    cfg = config(folder, 'poisoned', norm=None)
    cfg.model.heads.type = 'DropoutHead'
    cfg.train_dataloader.dataset.pipeline[0] = dict(type='Poison')
    cfg.train_dataloader.sampler.shuffle = False
    cfg.custom_hooks = [dict(type='NanGuardHook'), dict(type='RecordHook')]
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    runner = build_runner(cfg)
    before = []  # the weights and buffers as they are when the third step begins
    recorder(runner).after_step = lambda: before.append(
        {k: v.clone() for k, v in unwrapped(runner).state_dict().items()}
    )
    try:
        runner.train()
    except NonFiniteLossError as error:
        message = str(error)
    path = folder / 'poisoned' / 'nonfinite_iter_3' / f'rank_{get_rank()}.pth'
    dump = read_checkpoint(path)
    torch.manual_seed(99)
    losses, culprits = tool('replay_step').replay(MODELS.build(cfg.model), dump, str(path))
    return {'message': message, 'before': before[-1], 'dump': dump, 'losses': losses, 'culprits': culprits}


SCENARIOS: dict[str, Callable[[Path], Any]] = {
    scenario.__name__: scenario
    for scenario in (
        *(group_norm, norm_eval, one_sided, contrast_bank, contrast_batch),
        *(skipped, joint, joint_first_step),
        *(live_batch_norm, channels_last, fsdp, fsdp_from_plain, poisoned),
    )
}
DEEPSPEED_SCENARIOS: dict[str, Callable[[Path], Any]] = {
    scenario.__name__: scenario
    for scenario in (zero, zero_from_plain, plain_from_zero, accumulation, zero_accumulation)
}
if importlib.util.find_spec('deepspeed'):
    SCENARIOS.update(DEEPSPEED_SCENARIOS)


def start(folder: Path, *names: str) -> list[subprocess.Popen]:
    """Start the program as two ranks."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    path = os.pathsep.join([str(ROOT), *(entry for entry in sys.path if entry)])
    shared = dict(WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port), PYTHONPATH=path, OMP_NUM_THREADS='1')
    return [
        subprocess.Popen(
            [sys.executable, __file__, str(folder), *names],
            env={**os.environ, **shared, 'RANK': str(rank), 'LOCAL_RANK': str(rank)},
            stdout=(folder / f'{rank}.log').open('w'),
            stderr=subprocess.STDOUT,
        )
        for rank in range(2)
    ]


def main(folder: Path, names: list[str]) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo')
    for name in names:
        torch.save(SCENARIOS[name](folder), folder / f'{name}.{get_rank()}.pt')
    torch.distributed.destroy_process_group()


if __name__ == '__main__':
    main(Path(sys.argv[1]), sys.argv[2:])
