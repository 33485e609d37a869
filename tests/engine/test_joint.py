"""Training on several data sets: it goes on exactly after a cut, models see the domain, results say the data."""

from __future__ import annotations

import importlib.util
import itertools
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from mtlbox.engine import MTLRunner, build_runner
from mtlbox.models.necks import PyramidConcat
from mtlbox.registry import NECKS

pytestmark = pytest.mark.slow
_NUMBERS = itertools.count()


def load_program() -> ModuleType:
    spec = importlib.util.spec_from_file_location('ranks', Path(__file__).with_name('ranks.py'))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ranks = load_program()


class Cut(BaseException):
    """Ends a training as a kill would."""


class CutBefore(Hook):
    """Cuts the run off before iteration ``at``."""

    priority = 'LOWEST'

    def __init__(self, at: int) -> None:
        self.at = at

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        if runner.iter == self.at:
            raise Cut


class Seen(Hook):
    """Keeps which images each step had, and the domain of each."""

    def __init__(self) -> None:
        self.steps: list[list[tuple[str, int]]] = []

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self.steps.append([(sample.domain, sample.sample_idx) for sample in data_batch['data_samples']])


@NECKS.register_module(force=True)
class DomainNeck(PyramidConcat):
    """Keeps the domains of a batch."""

    seen: tuple[str, ...] = ()

    def forward(self, features: Any, data_samples: Any = None) -> Any:
        if data_samples is not None:
            type(self).seen = tuple(sample.domain for sample in data_samples)
        return super().forward(features)


def make(folder: Path, loop: str = 'epoch', *, resume: bool = False) -> Config:
    """Two data sets, five to ten steps an epoch, augmented; a checkpoint every third step."""
    cfg = ranks.joint_config(folder, 'run')
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.train_dataloader.batch_size = 2
    for dataset in cfg.train_dataloader.dataset.datasets.values():
        dataset.pipeline = [dict(type='RandomFlip', prob=0.5), dict(type='PhotometricDistortion'), *dataset.pipeline]
    cfg.train_dataloader.batch_sampler.ratios = dict(scenes=1, people=2)
    if loop == 'iter':
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=14)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=3, by_epoch=False, max_keep_ckpts=2)
    cfg.resume = resume
    cfg.experiment_name = f'joint-{next(_NUMBERS)}'
    return cfg


def run(cfg: Config, *hooks: Hook) -> tuple[MTLRunner, Seen]:
    runner, seen = build_runner(cfg), Seen()
    for hook in (seen, *hooks):
        runner.register_hook(hook)
    runner.train()
    return runner, seen


@pytest.mark.parametrize('loop', ['epoch', 'iter'])
def test_a_run_that_was_cut_off_goes_on_exactly(tmp_path: Path, loop: str) -> None:
    whole, expected = run(make(tmp_path / 'whole', loop))
    assert len({tuple(step) for step in expected.steps}) > 10
    at = 11  # in the second epoch, two steps after a checkpoint
    assert len(whole.train_dataloader) < 9
    with pytest.raises(Cut):
        run(make(tmp_path / 'cut', loop), CutBefore(at))
    resumed, seen = run(make(tmp_path / 'cut', loop, resume=True))
    assert seen.steps == expected.steps[9:]
    assert ranks.recorder(resumed).steps == ranks.recorder(whole).steps[9:]
    for name, value in whole.model.state_dict().items():
        assert value.equal(resumed.model.state_dict()[name]), name


def test_unlabelled_target_beside_labelled_source(tmp_path: Path) -> None:
    cfg = make(tmp_path)
    cfg.model.neck = dict(type='DomainNeck')
    for name, labels in (('scenes', ['semseg', 'depth', 'normals', 'human_parts', 'saliency']), ('people', [])):
        cfg.train_dataloader.dataset.datasets[name].labels = labels
    cfg.train_dataloader.batch_sampler = dict(type='JointBatchSampler', batches=dict(both=dict(scenes=1, people=1)))
    cfg.train_cfg.max_epochs = 1
    runner, seen = run(cfg)
    assert all([domain for domain, _ in step] == ['scenes', 'people'] for step in seen.steps)
    assert DomainNeck.seen == ('scenes', 'people')
    logged = ranks.recorder(runner).steps[0]
    assert logged['semseg/loss_ce'] > 0 and logged['depth/loss_l1'] > 0


def test_the_result_says_what_was_trained_on(tmp_path: Path) -> None:
    cfg = ranks.joint_config(tmp_path, 'run')
    cfg.train_dataloader.dataset.datasets.people.labelled_only = dict(saliency=dict(count=3))
    cfg.train_cfg.max_epochs = 1
    cfg.custom_hooks.append(dict(type='ResultHook'))
    build_runner(cfg).train()
    result = json.loads((tmp_path / 'run' / 'result.json').read_text())
    assert {name: one['samples'] for name, one in result['trained_on'].items()} == {'scenes': 6, 'people': 10}
    kept = result['trained_on']['people']['labelled']['saliency']
    assert (kept['samples'], kept['of'], kept['by']) == (3, 10, [{'count': 3}]) and len(kept['names']) == 3
    assert {name: one['samples'] for name, one in result['data'].items()} == {'scenes': 3, 'people': 4}
    assert result['protocols']['people/normals'] == result['protocols']['scenes/normals'] == 'arccos'
    assert set(result['primary']) == {f'scenes/{t}' for t in ('semseg', 'depth', 'normals')} | {
        f'people/{t}' for t in ('human_parts', 'saliency', 'normals')
    }


def test_a_batch_without_any_label_takes_part_whole(tmp_path: Path) -> None:
    cfg = make(tmp_path)
    cfg.train_dataloader.dataset.datasets.people.labels = []
    cfg.train_cfg.max_epochs = 1
    runner, _ = run(cfg)
    losses = [step['loss'] for step in ranks.recorder(runner).steps]
    assert 0.0 in losses and max(losses) > 0 and all(torch.isfinite(torch.tensor(losses)))
