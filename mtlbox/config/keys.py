"""The keys at the top of a config: the Runner's, helper variables, and mistakes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable

from mmengine.runner import Runner

from mtlbox.config.errors import ConfigError
from mtlbox.registry import nearest

RUNNER_KEYS = {
    *(name for name in inspect.signature(Runner.__init__).parameters if name not in ('self', 'cfg')),
    *(
        'model_wrapper_cfg',
        'custom_imports',
        'find_unused_parameters',
        'sync_bn',
        'runner_type',
        'compile',
        'channels_last',
    ),
}
_PLACES = {
    'amp': '--amp, or optim_wrapper.type',
    'batch_size': 'train_dataloader.batch_size',
    'checkpoint_config': 'default_hooks.checkpoint',
    'clip_grad': 'optim_wrapper.clip_grad',
    'cudnn_benchmark': 'env_cfg.cudnn_benchmark',
    'data': 'train_dataloader.dataset, val_dataloader.dataset and test_dataloader.dataset',
    'deterministic': 'randomness.deterministic',
    'dist_params': 'env_cfg.dist_cfg',
    'epochs': 'train_cfg.max_epochs',
    'evaluation': 'val_evaluator, and train_cfg.val_interval',
    'evaluator': 'val_evaluator and test_evaluator',
    'hooks': 'custom_hooks',
    'log_config': 'default_hooks.logger, and visualizer',
    'lr': 'optim_wrapper.optimizer.lr',
    'lr_config': 'param_scheduler',
    'lr_scheduler': 'param_scheduler',
    'max_epochs': 'train_cfg.max_epochs',
    'max_iters': 'train_cfg.max_iters',
    'num_workers': 'train_dataloader.num_workers',
    'optimizer': 'optim_wrapper.optimizer',
    'optimizer_config': 'optim_wrapper.clip_grad',
    'pretrained': 'model.backbone.init_cfg',
    'resume_from': 'load_from, with resume=True',
    'save_best': 'default_hooks.checkpoint.save_best',
    'scheduler': 'param_scheduler',
    'seed': 'randomness.seed',
    'total_epochs': 'train_cfg.max_epochs',
    'val_interval': 'train_cfg.val_interval',
}
"""Keys that other toolboxes, or older ones, have at the top, and where they belong."""


def check_top_level(
    keys: Iterable[str], name: str, is_used: Callable[[str], bool], replaces_used: Callable[[str], bool]
) -> None:
    """Refuse keys that do nothing although their author must have expected something of them.

    A helper variable may be called anything: it is told from a mistake by being used in the file, or in one that
    inherits it. One that is not used is refused if it is known as another toolbox's key, or is spelt much like one of
    the Runner's; a name made from one of these by whole words (``train_dataloader_small``) is no misspelling.

    Args:
        keys: The keys at the top.
        name: The config's name in messages.
        is_used: Says whether the value of a key is used to make another one.
        replaces_used: Says whether a key has another value than the one that a base has used already.

    Raises:
        ConfigError: A key has no meaning.
    """
    for key in keys:
        if key in RUNNER_KEYS or is_used(key):
            continue
        if key in _PLACES:
            meant = f'It belongs to {_PLACES[key]}.'
        elif replaces_used(key):
            raise ConfigError(
                f'{name}: {key!r} has no effect here: the base config has used its value already. Change the keys that '
                f'it was used for, e.g. model.neck.feature_size of an input size; tools/print_config.py shows them all.'
            )
        elif hits := [hit for hit in nearest(key, RUNNER_KEYS, n=1, cutoff=0.8) if not _by_words(key, hit)]:
            meant = f'Did you mean {hits[0]!r}?'
        else:
            continue
        raise ConfigError(f'{name}: the top-level key {key!r} has no meaning, and nothing uses its value. {meant}')


def _by_words(one: str, other: str) -> bool:
    mine, theirs = set(one.split('_')), set(other.split('_'))
    return mine <= theirs or theirs <= mine
