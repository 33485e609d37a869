"""How configs train, against what papers and released code say of it: training.yml."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from mmengine.config import Config

from mtlbox.config import load_config
from mtlbox.models.necks.mtformer import CONTRAST_WEIGHTS, CONTRASTS
from mtlbox.registry import LOSSES, NECKS, OPTIMIZERS, PARAM_SCHEDULERS, TRANSFORMS, WEIGHTINGS

CONFIGS = Path(__file__).parents[2] / 'configs'
TABLE = yaml.safe_load(Path(__file__).with_name('training.yml').read_text())
CASES = [
    pytest.param(row, config, id=str(config.relative_to(CONFIGS).with_suffix('')))
    for row in TABLE['rows']
    for pattern in row['configs']
    for config in sorted(CONFIGS.glob(f'{pattern}.py'))
]


def plain(value: Any) -> Any:
    """Config nodes as dicts, tuples as lists."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def completed(given: Mapping[str, Any], expected: Mapping[str, Any], component: Any) -> dict[str, Any]:
    """What is given, and the component's defaults of what is expected beside it."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(component).parameters.items()}
    return plain({name: defaults[name] for name in expected if name in defaults} | dict(given))


def of_registry(registry: Any, given: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, Any]:
    return completed(given, expected, registry.get(given['type']))


def of_list(registry: Any, given: list[Any], expected: list[Any]) -> list[Any]:
    assert [item['type'] for item in given] == [item['type'] for item in expected]
    return [of_registry(registry, *pair) for pair in zip(given, expected)]


def of_neck(given: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, Any]:
    """What the row names of the neck's settings, those of the contrast as the neck completes them."""
    settings = of_registry(NECKS, given, expected)
    if settings.get('contrast') in CONTRASTS:
        contrast = settings['contrast']
        if settings.get('contrast_weight') is None:
            settings['contrast_weight'] = CONTRAST_WEIGHTS[contrast]
        settings['contrast_options'] = completed(
            settings.get('contrast_options') or {}, expected.get('contrast_options', {}), CONTRASTS[contrast]
        )
    return {name: settings[name] for name in expected}


def augmentation(dataset: Any, expected: Any) -> Any:
    """A training pipeline but for its packing; of several data sets, by their names."""
    if 'datasets' in dataset:
        return {name: augmentation(part, expected[name]) for name, part in dataset.datasets.items()}
    return of_list(TRANSFORMS, [step for step in dataset.pipeline if step.type != 'PackMultiTaskInputs'], expected)


def size(cfg: Config, dataset: Any) -> Any:
    """Pictures' size at test: what they are padded or brought to, or else that of the files."""
    if 'min_size' in cfg.model.data_preprocessor:
        return plain(cfg.model.data_preprocessor.min_size)
    if 'datasets' in dataset:
        return {name: size(cfg, part) for name, part in dataset.datasets.items()}
    return plain(next((step.size for step in dataset.pipeline if step.type == 'Resize'), cfg.get('input_size')))


def facts(cfg: Config, row: Mapping[str, Any]) -> dict[str, Any]:
    """What a config says of what the row is about."""
    model, wrapper = cfg.model, cfg.optim_wrapper
    assert list(model.losses) == list(row['losses'])
    backbone = model.backbone.get('backbone', model.backbone)
    return {
        'size': size(cfg, cfg.val_dataloader.dataset),
        'optimizer': of_registry(OPTIMIZERS, wrapper.optimizer, row['optimizer']),
        'schedule': of_list(PARAM_SCHEDULERS, cfg.param_scheduler, row['schedule']),
        'length': {name: value for name, value in cfg.train_cfg.items() if name.startswith('max_')},
        'batch': cfg.train_dataloader.batch_size,
        'clip_grad': wrapper.get('clip_grad'),
        'drop_path': backbone.get('drop_path_rate'),
        'losses': {task: of_registry(LOSSES, loss, row['losses'][task]) for task, loss in model.losses.items()},
        'weighting': of_registry(WEIGHTINGS, model.weighting, row['weighting']),
        'normalisation': {name: plain(model.data_preprocessor[name]) for name in ('mean', 'std')},
        'augmentation': augmentation(cfg.train_dataloader.dataset, row['augmentation']),
        'neck': of_neck(model.neck, row.get('neck', {})),
    }


@pytest.mark.parametrize(('row', 'config'), CASES)
def test_it_trains_as_its_sources_say(row: dict[str, Any], config: Path) -> None:
    expected = {'neck': {}, **row}
    for name in ('configs', 'source', 'ours'):
        del expected[name]
    assert facts(load_config(config), row) == expected


def test_every_config_is_of_one_row() -> None:
    """Or one for which nothing is published, and each pattern names a config."""
    patterns = [pattern for row in TABLE['rows'] for pattern in row['configs']] + TABLE['unpublished']
    found = [path for pattern in patterns for path in CONFIGS.glob(f'{pattern}.py')]
    every = [path for path in CONFIGS.glob('*/*.py') if path.parent.name != '_base_']
    assert not [pattern for pattern in patterns if not any(CONFIGS.glob(f'{pattern}.py'))]
    assert sorted(found) == sorted(every)
