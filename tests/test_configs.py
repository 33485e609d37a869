"""Every config in configs/ is built, trained for a step and evaluated."""

from __future__ import annotations

import inspect
import json
import math
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from scipy.io import savemat

from mtlbox.compat import ensure_torchvision
from mtlbox.config import load_config
from mtlbox.datasets.layouts import nyu_official
from mtlbox.datasets.layouts.replica import write_replica
from mtlbox.datasets.rooms import render_room
from mtlbox.engine import build_runner
from mtlbox.evaluation import JointEvaluator
from mtlbox.leaderboard import backbone_of
from mtlbox.models.heads.base import TaskHead
from mtlbox.registry import BACKBONES, MODELS, NECKS
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import build_tasks

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(p.relative_to(ROOT) for p in ROOT.glob('configs/*/*.py') if p.parent.name != '_base_')
SIZE = (64, 96)
REPLICAS = {
    'nyuv2-13': 'nyuv2-13',
    'cityscapes-mtan': 'cityscapes',
    'nyud': 'nyud-c',
    'pascal': 'pascal',
    'cityscapes-raw': 'cityscapes-raw',
    'vkitti2': 'vkitti2-joint',
    'synthia': 'synthia',
    'taskonomy': 'taskonomy-omnidata',
}
"""The layout of the replica that stands for a folder of data/."""
FEW, SEED = 3, 1
"""Images to train on where each has few of its labels, and a seed by which each task has one."""
LARGE = ('hrnet48', 'swin', 'vit', 'resnet50')
"""Parts of the names of configs whose training step is left to the slow tests."""
SWIN = {
    'tiny': {'embed_dims': 96, 'num_heads': (3, 6, 12, 24)},
    'small': {'embed_dims': 96, 'num_heads': (3, 6, 12, 24)},
    'base': {'embed_dims': 128, 'num_heads': (4, 8, 16, 32)},
    'large': {'embed_dims': 192, 'num_heads': (6, 12, 24, 48)},
}
"""What the sizes of Swin are besides their depth, which is as small as can be in a test."""
VIT = {
    'base': {'embed_dims': 768, 'num_heads': 12, 'feedforward_channels': 3072},
}
"""The same of ViT."""
BACKBONES_OF_TWO_BLOCKS = {
    'mmpretrain.SwinTransformer': lambda arch: {'depths': (2, 2, 2, 2), **SWIN[arch]},
    'mmpretrain.SwinTransformerV2': lambda arch: {
        'depths': (2, 2, 2, 2),
        'extra_norm_every_n_blocks': 0,
        **SWIN[arch],
    },
    'mmpretrain.VisionTransformer': lambda arch: {'num_layers': 2, **VIT[arch]},
}
"""A shallow ``arch`` of the same widths, by type of backbone."""
NO_REFERENCE: dict[str, str] = {
    'configs/tif/global-attention_hrnet18_nyud_depth-normals.py': 'itself without interaction',
    'configs/tif/global-attention_hrnet18_nyud_semseg-depth.py': 'itself without interaction',
    'configs/mtformer/mtformer_swin-s_nyud-pascal.py': 'mtformer-stl_swin-s_{nyud,pascal}.py',
}
"""Configs that need no single-task and hard-sharing config of their backbone and data, and why."""
SINGLE = re.compile(r'stl_|mtformer-stl_resnet50_')
"""Configs that are their hard-sharing one but for ``type='STL'``."""
BEHIND_ZEROS = ('neck.gated.gate.0.bias',)
"""Parameters that start to move with the second step, since the weights behind them start as 0."""


def twin_of(path: Path) -> Path | None:
    """The config of the same training step: that of other weights, or, of large backbones, the hard-sharing one.

    The names say so, and ``test_twins_are_twins`` holds them to it.
    """
    found = path.with_name(path.name.replace('_imagenet.py', '.py'))
    if found == path and any(part in path.stem for part in LARGE) and SINGLE.match(path.name):
        found = Path(str(path).replace('stl', 'mtl'))
    return found if found != path and found in CONFIGS else None


def by_size(*, twins: bool) -> list:
    return [
        pytest.param(path, marks=pytest.mark.slow if any(part in path.stem for part in LARGE) else (), id=str(path))
        for path in CONFIGS
        if (twin_of(path) is not None) == twins
    ]


@pytest.fixture(scope='module')
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of replicas, one per data set that is read from disk."""
    root = tmp_path_factory.mktemp('replicas')
    for name, layout in REPLICAS.items():
        count = FEW if name == 'nyuv2-13' else 2
        write_replica(layout, root / name, counts={'train': count, 'val': 3}, size=SIZE, workers=1)
    write_official(root / 'official')
    nyu_official.convert(
        root / 'official/nyu.mat',
        root / 'nyud-official',
        dataset='nyud-c',
        splits=root / 'official/splits.mat',
        classes=root / 'official/classMapping40.mat',
        size=SIZE,
        quiet=True,
    )
    return root


def write_official(folder: Path) -> None:
    """Write two rooms to train on and three to validate on as the official files of NYU Depth v2."""
    folder.mkdir()
    rooms = [render_room(split, i, (480, 640)) for split, count in (('train', 2), ('val', 3)) for i in range(count)]
    fields = {  # MATLAB's axes, reversed
        'images': np.stack([room['image'].transpose(2, 1, 0) for room in rooms]),
        'depths': np.stack([room['depth'].T for room in rooms]),
        'labels': np.stack([(room['semseg'].T + 1).astype(np.uint16) for room in rooms]),
        'instances': np.ones((len(rooms), 640, 480), np.uint8),
    }
    with h5py.File(folder / 'nyu.mat', 'w') as file:
        for name, array in fields.items():
            file[name] = array
    savemat(folder / 'classMapping40.mat', {'mapClass': np.minimum(np.arange(1, 895), 40)[None].astype(np.uint8)})
    savemat(folder / 'splits.mat', {'trainNdxs': [[1], [2]], 'testNdxs': [[3], [4], [5]]})


def innermost_backbone(cfg: Config) -> ConfigDict:
    """The backbone that has the pretrained weights: that which others wrap."""
    backbone = cfg.model.backbone
    while 'backbone' in backbone:
        backbone = backbone.backbone
    return backbone


def shrink(cfg: Config, replicas: Path, work_dir: Path) -> Config:
    """The same architecture on few small images, without downloads."""
    backbone = innermost_backbone(cfg)
    backbone.init_cfg = None
    shallow = BACKBONES_OF_TWO_BLOCKS.get(backbone.type)
    if shallow is not None and isinstance(backbone.arch, str):
        backbone.arch = shallow(backbone.arch)
        if 'num_layers' in backbone.arch:
            backbone.out_indices = (backbone.arch['num_layers'] - 1,)
        if cfg.default_hooks.checkpoint.save_best == 'delta_m':  # no baseline is of a backbone as shallow as this
            cfg.default_hooks.checkpoint.save_best = 'semseg/mIoU'
    if 'drop_path_rate' in backbone:
        backbone.drop_path_rate = 0.0  # or the one step leaves out whole blocks
    if 'min_size' in cfg.model.data_preprocessor:
        cfg.model.data_preprocessor.min_size = SIZE
    neck = cfg.model.get('neck') or {}
    if 'feature_size' in neck:
        stride = neck.get('feature_stride', 4)
        neck.feature_size = (SIZE[0] // stride, SIZE[1] // stride)
    for name, length in (('train', 2), ('val', 3), ('test', 3)):
        loader = cfg[f'{name}_dataloader']
        loader.update(batch_size=2, num_workers=0, persistent_workers=False)
        for dataset in parts(loader.dataset, 'datasets'):
            for step in dataset.pipeline:
                if 'size' in step:
                    step.size = SIZE
            for rule in dataset.get('labelled_only', {}).values():
                rule.count = 1
            if dataset.get('drop_unlabelled'):
                loader.batch_size = 1
            if 'labels_per_image' in dataset:
                loader.batch_size = length = FEW
                dataset.labels_per_image.seed = SEED
            if 'data_root' in dataset:
                dataset.update(data_root=str(replicas / Path(dataset.data_root).relative_to('data')), indices=length)
            else:
                dataset.update(length=length, size=SIZE)
    for evaluator in parts(cfg.val_evaluator, 'evaluators'):
        for metric in evaluator.metrics:
            if 'workers' in metric:
                metric.workers = 0
    sampler = cfg.train_dataloader.get('batch_sampler', {})
    if 'batches' in sampler:  # an image of each data set
        sampler.batches = {'both': dict.fromkeys(cfg.train_dataloader.dataset.datasets, 1)}
    elif sampler:  # a batch of each data set
        sampler.ratios = dict.fromkeys(cfg.train_dataloader.dataset.datasets, 1)
    length = 'max_iters' if 'max_iters' in cfg.train_cfg else 'max_epochs'
    cfg.train_cfg.update({length: 1, 'val_interval': 1})
    cfg.work_dir = str(work_dir)
    return cfg


def without_with_cp(cfg: Config) -> list[str]:
    """Parts that could recompute activations and lack the key by which ``--cfg-options`` would tell them to."""
    found, backbone = [], cfg.model.backbone
    given = [(NECKS, cfg.model.neck)] if cfg.model.get('neck') else []
    while backbone is not None:
        given.append((BACKBONES, backbone))
        backbone = backbone.get('backbone')
    for registry, part in given:
        bases = registry.get(part.type).__mro__
        if any('with_cp' in inspect.signature(base.__init__).parameters for base in bases) and 'with_cp' not in part:
            found.append(part.type)
    return found


def parts(config: Config, key: str) -> list[Config]:
    """The data sets or evaluators that one is made of, or the one itself."""
    return list(config[key].values()) if key in config else [config]


@pytest.mark.parametrize('path', by_size(twins=False))
def test_config_trains_and_evaluates(path: Path, replicas: Path, tmp_path: Path) -> None:
    cfg = shrink(load_config(ROOT / path), replicas, tmp_path)
    if cfg.model.backbone.type == 'TimmBackbone':
        ensure_torchvision()
        pytest.importorskip('timm')
    assert not without_with_cp(cfg)
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
    assert result['macs'] > 0
    scores, evaluator = result['val']['scores'], runner.val_loop.evaluator
    if isinstance(evaluator, JointEvaluator):
        names = {name.rpartition('/')[2] for name in result['protocols']}
        assert all(name.partition('/')[0] in evaluator.evaluators for name in scores)
    else:
        names = set(result['protocols'])
    assert names == set(runner.model.tasks)
    for task in result['protocols']:
        finite = [v for k, v in scores.items() if k.startswith(f'{task}/') and v is not None and math.isfinite(v)]
        assert finite, f'{task} has no score in {scores}'
    if evaluator.baseline is not None:
        assert 'replica' in evaluator.other_data() and 'delta_m' not in scores
    assert list(tmp_path.glob('best_*.pth')), 'no best checkpoint'
    pictures = list((tmp_path / 'pictures' / f'iter_{runner.iter}').glob('*.png'))
    assert len(pictures) == min(len(runner.val_dataloader.dataset), 4)


@pytest.mark.parametrize('path', [param.values[0] for param in by_size(twins=True)], ids=str)
def test_twins_are_twins(path: Path) -> None:
    """They differ in weights, or in that each task has a network of its own, and so need no training step each."""
    twin = twin_of(path)
    assert twin is not None
    cfg, other = load_config(ROOT / path), load_config(ROOT / twin)
    assert not without_with_cp(cfg)
    innermost_backbone(cfg).init_cfg = innermost_backbone(other).init_cfg = None
    if SINGLE.match(path.name) and not SINGLE.match(twin.name):
        assert (cfg.model.type, other.model.type) == ('STL', 'MultiTaskModel')
        other.model.type = 'STL'
    mine, its = cfg.to_dict(), other.to_dict()
    for one in (mine, its):
        one['default_hooks']['checkpoint']['save_best'] = None  # delta_m where there is a baseline
        for part in ('val_evaluator', 'test_evaluator'):
            one[part]['baseline'] = None  # published ones are of certain weights
        one.pop('backbone')  # what the model's was made of
    assert mine == its


def what_is_compared(cfg: Config) -> tuple:
    """What two configs must have in common for one to be the reference of the other."""
    weights = innermost_backbone(cfg).get('init_cfg') or {}
    evaluators = parts(cfg.val_evaluator, 'evaluators')
    metrics = tuple((metric.task, metric.protocol) for evaluator in evaluators for metric in evaluator.metrics)
    datasets = tuple(dataset.type for dataset in parts(cfg.val_dataloader.dataset, 'datasets'))
    return backbone_of(cfg.model), weights.get('checkpoint'), datasets, metrics


@pytest.mark.slow
def test_every_method_has_its_references() -> None:
    """Whatever is trained has a single-task and a hard-sharing config of its backbone, weights, data and metrics."""
    found: dict[str, set] = {'STL': set(), 'MTL': set(), 'method': set()}
    names = {}
    for path in CONFIGS:
        cfg = load_config(ROOT / path)
        neck = cfg.model.get('neck') or {}
        shared = neck.get('type') == 'PyramidConcat' or neck.get('cross_attention') is False
        kind = 'STL' if cfg.model.type == 'STL' else 'MTL' if shared else 'method'
        key = what_is_compared(cfg)
        if kind == 'method' and str(path) not in NO_REFERENCE:
            names.setdefault(key, str(path))
        found[kind].add(key)
    for kind in ('STL', 'MTL'):
        missing = [f'{name}: {key}' for key, name in names.items() if key not in found[kind]]
        assert not missing, f'no {kind} config for {missing}'


@pytest.mark.parametrize('path', CONFIGS, ids=str)
def test_config_opens_with_its_command(path: Path) -> None:
    first = (ROOT / path).read_text().split('\n', 1)[0]
    assert first == f'# python tools/train.py {path}'


class Passing(TaskHead):
    """What it is given is what it predicts."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


@pytest.mark.parametrize('path', [path for path in CONFIGS if 'vit-' in path.stem], ids=str)
def test_what_a_vit_sees_in_a_row_of_patches_comes_back_in_that_row(path: Path) -> None:
    """The mean of each patch is what is predicted, of pictures whose sides are no multiples of the patches'."""
    cfg = load_config(ROOT / path)
    arch = {**VIT['base'], 'embed_dims': 12, 'num_layers': 1}
    embed = BACKBONES.build(dict(innermost_backbone(cfg), arch=arch, out_indices=(0,), init_cfg=None)).patch_embed
    embed.projection.weight.data.fill_(1 / embed.projection.weight[0].numel())
    embed.projection.bias.data.zero_()
    tasks = build_tasks({'depth': {'type': 'Depth'}})
    plain = {'mean': (0, 0, 0), 'std': (1, 1, 1), 'min_size': (1, 1)}
    preprocessor = MODELS.build({**cfg.model.data_preprocessor, **plain, 'tasks': tasks})
    height, width, row, column = 425, 555, 24 * 16, 33 * 16
    picture = torch.zeros(3, height, width)
    picture[:, row : row + 16] = picture[:, :, column : column + 16] = 1
    sample = MTLDataSample(metainfo={'ori_shape': (height, width), 'img_shape': (height, width)})
    batch = preprocessor({'inputs': [picture], 'data_samples': [sample]})
    tokens, size = embed(batch['inputs'])
    logits = tokens[..., 0].unflatten(1, size)[:, None]
    (depth,) = Passing(task=tasks['depth'], losses=[]).predict_by_feat(logits, batch['data_samples'])
    for marked, profile in ((row, depth[0, :, 0]), (column, depth[0, 0])):
        place = torch.arange(len(profile)) + 0.5
        assert abs((place * profile).sum() / profile.sum() - (marked + 8)) < 0.1


def test_there_are_configs() -> None:
    assert Path('configs/ctal/ctal_hrnet18_nyud.py') in CONFIGS
    assert len(CONFIGS) >= 8
