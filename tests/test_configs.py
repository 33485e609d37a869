"""Every config in configs/ is built, trained for a step and evaluated."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mtlbox.config import load_config
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.engine import build_runner

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(p.relative_to(ROOT) for p in ROOT.glob('configs/*/*.py') if p.parent.name != '_base_')
SIZE = (64, 96)
REPLICAS = {
    'nyuv2-13': 'NYUv2',
    'cityscapes': 'CityscapesMTAN',
    'nyud-c': 'NYUD',
    'pascal': 'PASCALContext',
    'cityscapes-raw': 'Cityscapes',
    'vkitti2-joint': 'VKITTI2',
    'synthia': 'Synthia',
    'taskonomy-omnidata': 'Taskonomy',
}
LARGE = ('hrnet48', 'swin')
"""Parts of the names of configs whose training step is left to the slow tests."""
SWIN = {
    'tiny': {'embed_dims': 96, 'num_heads': (3, 6, 12, 24)},
    'small': {'embed_dims': 96, 'num_heads': (3, 6, 12, 24)},
    'base': {'embed_dims': 128, 'num_heads': (4, 8, 16, 32)},
    'large': {'embed_dims': 192, 'num_heads': (6, 12, 24, 48)},
}
"""What the sizes of Swin are besides their depth, which is as small as can be in a test."""
BEHIND_ZEROS = ('neck.gated.gate.0.bias',)
"""Parameters that start to move with the second step, since the weights behind them start as 0."""


def by_size() -> list:
    return [
        pytest.param(path, marks=pytest.mark.slow if any(part in path.stem for part in LARGE) else (), id=str(path))
        for path in CONFIGS
    ]


@pytest.fixture(scope='module')
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of replicas, one per data set that is read from disk."""
    root = tmp_path_factory.mktemp('replicas')
    for layout, name in REPLICAS.items():
        write_replica(layout, root / name, counts={'train': 2, 'val': 3}, size=SIZE, workers=1)
    return root


def shrink(cfg: Config, replicas: Path, work_dir: Path) -> Config:
    """The same architecture on few small images, without downloads."""
    cfg.model.backbone.init_cfg = None
    if cfg.model.backbone.type == 'mmpretrain.SwinTransformer' and isinstance(cfg.model.backbone.arch, str):
        cfg.model.backbone.arch = {'depths': (2, 2, 2, 2), **SWIN[cfg.model.backbone.arch]}
        if cfg.default_hooks.checkpoint.save_best == 'delta_m':  # no baseline is of a backbone as shallow as this
            cfg.default_hooks.checkpoint.save_best = 'semseg/mIoU'
    if 'drop_path_rate' in cfg.model.backbone:
        cfg.model.backbone.drop_path_rate = 0.0  # or the one step leaves out whole blocks
    if 'min_size' in cfg.model.data_preprocessor:
        cfg.model.data_preprocessor.min_size = SIZE
    neck = cfg.model.get('neck') or {}
    if 'feature_size' in neck:
        neck.feature_size = (SIZE[0] // 4, SIZE[1] // 4)
    for name, length in (('train', 2), ('val', 3), ('test', 3)):
        loader = cfg[f'{name}_dataloader']
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        for step in loader.dataset.pipeline:
            if step.type in ('RandomCrop', 'Resize'):
                step.size = SIZE
        if 'data_root' in loader.dataset:
            loader.dataset.data_root = str(replicas / loader.dataset.type)
        else:
            loader.dataset.update(length=length, size=SIZE)
    for metric in cfg.val_evaluator.metrics:
        if 'workers' in metric:
            metric.workers = 0
    length = 'max_iters' if 'max_iters' in cfg.train_cfg else 'max_epochs'
    cfg.train_cfg.update({length: 1, 'val_interval': 1})
    cfg.work_dir = str(work_dir)
    return cfg


@pytest.mark.parametrize('path', by_size())
def test_config_trains_and_evaluates(path: Path, replicas: Path, tmp_path: Path) -> None:
    cfg = shrink(load_config(ROOT / path), replicas, tmp_path)
    runner = build_runner(cfg)
    before = {key: value.clone() for key, value in runner.model.state_dict().items()}
    runner.train()
    after = runner.model.state_dict()
    unchanged = [
        key
        for key, value in runner.model.named_parameters()
        if value.requires_grad and key not in BEHIND_ZEROS and torch.equal(before[key], after[key])
    ]
    assert not unchanged, f'parameters that a training step does not move: {unchanged[:5]}'
    result = json.loads((tmp_path / 'result.json').read_text())
    assert set(result['protocols']) == set(runner.model.tasks)
    scores = result['val']['scores']
    for task in result['protocols']:
        finite = [v for k, v in scores.items() if k.startswith(f'{task}/') and v is not None and math.isfinite(v)]
        assert finite, f'{task} has no score in {scores}'
    evaluator = runner.val_loop.evaluator
    if evaluator.baseline is not None:
        assert 'replica' in evaluator.other_data() and 'delta_m' not in scores
    assert list(tmp_path.glob('best_*.pth')), 'no best checkpoint'
    assert len(list((tmp_path / 'pictures' / 'iter_1').glob('*.png'))) == 3


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_config_opens_with_its_command(path: Path) -> None:
    first = (ROOT / path).read_text().split('\n', 1)[0]
    assert first == f'# python tools/train.py {path}'


def test_there_are_configs() -> None:
    assert Path('configs/ctal/ctal_hrnet18_nyud.py') in CONFIGS
    assert len(CONFIGS) >= 8
