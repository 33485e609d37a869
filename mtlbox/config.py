"""Reading a config file so that what is wrong with it is said before any data is read.

``load_config`` is ``mmengine.Config.fromfile`` and four checks: ``--cfg-options`` may only change what is there, keys
that nearly are a Runner's are refused, every component must exist, and must know the arguments it is given.
"""

from __future__ import annotations

import ast
import copy
import hashlib
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from mtlbox import registry as registries
from mtlbox.registry import did_you_mean, nearest

_RUNNER_KEYS = {
    *(name for name in inspect.signature(Runner.__init__).parameters if name not in ('self', 'cfg')),
    *('model_wrapper_cfg', 'custom_imports', 'find_unused_parameters', 'sync_bn', 'runner_type', 'compile'),
}
_SECTIONS = {
    'model': registries.MODELS,
    'tasks': registries.TASKS,
    'val_evaluator': registries.EVALUATORS,
    'test_evaluator': registries.EVALUATORS,
    'default_hooks': registries.HOOKS,
    'custom_hooks': registries.HOOKS,
    'optim_wrapper': registries.OPTIM_WRAPPERS,
    'param_scheduler': registries.PARAM_SCHEDULERS,
    'train_dataloader': None,
    'val_dataloader': None,
    'test_dataloader': None,
}
"""Which registry the components of a top-level section come from."""
_PARTS = {
    'tasks': registries.TASKS,
    'dataset': registries.DATASETS,
    'datasets': registries.DATASETS,
    'pipeline': registries.TRANSFORMS,
    'sampler': registries.DATA_SAMPLERS,
    'metrics': registries.METRICS,
    'optimizer': registries.OPTIMIZERS,
    'backbone': registries.BACKBONES,
    'neck': registries.NECKS,
    'heads': registries.HEADS,
    'auxiliary_heads': registries.HEADS,
    'losses': registries.LOSSES,
    'weighting': registries.WEIGHTINGS,
}
"""The same for keys inside a section; other keys inherit from the key above them."""
_UNCHECKED = ('init_cfg', 'norm_cfg', 'act_cfg', 'conv_cfg', 'clip_grad')  # resolved by mmengine and mmcv


class ConfigError(ValueError):
    """A config file or an option that cannot be what its author meant."""


def load_config(path: str | Path, cfg_options: Mapping[str, Any] | None = None) -> Config:
    """Read a config file, apply options, and check the result.

    A helper variable at the top level (``tasks``, ``data_root``) is only a name for a value that stands elsewhere:
    an option that changes it changes every key of that name that has that value, and is refused if there is none.

    Args:
        path: The config file.
        cfg_options: ``{'model.neck.gamma': 0.1}``; an integer addresses an element of a list.

    Raises:
        FileNotFoundError: There is no such file.
        ConfigError: The file is no Python, a dict in it names a key twice, an option names a key that is not there,
            a key at the top is nearly a Runner's, or a component is given an argument that it does not have.
        UnknownComponentError: A component is not registered.
    """
    path = Path(path)
    if not path.is_file():
        siblings = [str(p) for p in path.parent.glob('*.py')] if path.parent.is_dir() else []
        raise FileNotFoundError(f'There is no config file {path}.{did_you_mean(str(path), siblings)}')
    _check_syntax(path)
    cfg = Config.fromfile(path)
    if cfg_options:
        for option, value in cfg_options.items():
            _apply_option(cfg, option, value)
    check_config(cfg, str(path))
    return cfg


def check_config(cfg: Config, name: str) -> None:
    """Raise :class:`ConfigError` or ``UnknownComponentError`` if ``cfg`` cannot be meant as it is written."""
    for key in set(cfg) - _RUNNER_KEYS:
        hits = nearest(key, _RUNNER_KEYS, n=1, cutoff=0.82)
        # where the right key is there too, perhaps from a base config, only a slip of a letter or two is refused
        if hits and (hits[0] not in cfg or nearest(key, hits, cutoff=0.9)):
            raise ConfigError(f'{name}: the top-level key {key!r} has no meaning. Did you mean {hits[0]!r}?')
    for section, registry in _SECTIONS.items():
        for where, component, known_to in _components(cfg.get(section), section, registry):
            _check_component(f'{name}: {where}', component, known_to)


def config_hash(cfg: Config) -> str:
    """Return twelve hexadecimal digits that stand for the whole content of ``cfg``."""
    return hashlib.sha256(cfg.pretty_text.encode()).hexdigest()[:12]


def _check_option(cfg: Config, option: str) -> None:
    node: Any = cfg._cfg_dict
    parts = option.split('.')
    for depth, part in enumerate(parts):
        place = '.'.join(parts[:depth]) or 'the config'
        if isinstance(node, Mapping):
            if part not in node:
                raise ConfigError(
                    f'--cfg-options {option}: {place} has no key {part!r}.{did_you_mean(part, map(str, node))} '
                    'Options change what a config file says; to add a key, write it into a config file.'
                )
            node = node[part]
        elif isinstance(node, (list, tuple)):
            if not part.isdigit() or int(part) >= len(node):
                raise ConfigError(
                    f'--cfg-options {option}: {place} is a list of {len(node)}, and {part!r} is no index of it.'
                )
            node = node[int(part)]
        else:
            raise ConfigError(f'--cfg-options {option}: {place} is {node!r} and has no keys.')


def _check_syntax(path: Path) -> None:
    """Raise :class:`ConfigError` where the file is no Python, or a dict in it has a key twice, of which one is lost."""
    try:
        tree = ast.parse(path.read_text(encoding='utf-8'), str(path))
        compile(tree, str(path), 'exec')
    except SyntaxError as error:  # dict(depth=..., depth=...) is one
        raise ConfigError(f'{path}, line {error.lineno}: {error.msg}.') from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
            twice = [key for key in keys if keys.count(key) > 1]
            if twice:
                raise ConfigError(f'{path}, line {node.lineno}: the dict has the key {twice[0]!r} twice.')


def _apply_option(cfg: Config, option: str, value: Any) -> None:
    _check_option(cfg, option)
    helper = option.partition('.')[0]
    before = copy.deepcopy(cfg[helper])
    cfg.merge_from_dict({option: value})
    if helper in _RUNNER_KEYS or cfg[helper] == before:
        return
    used = sum(_replace(section, helper, before, cfg[helper]) for key, section in cfg.items() if key != helper)
    if not used:
        raise ConfigError(
            f'--cfg-options {option}: {helper!r} is a helper variable of the config file, and no key of that name '
            'has its value. Change the key that it was used for, e.g. model.neck.feature_size; '
            'tools/print_config.py shows them all.'
        )


def _replace(node: Any, name: str, before: Any, after: Any) -> int:
    """Replace ``before`` by ``after`` under every key ``name`` below ``node``; return how often."""
    if isinstance(node, dict):
        count = 0
        for key, value in node.items():
            if key == name and value == before:
                node[key] = copy.deepcopy(after)
                count += 1
            else:
                count += _replace(value, name, before, after)
        return count
    if isinstance(node, (list, tuple)):
        return sum(_replace(value, name, before, after) for value in node)
    return 0


def _components(node: Any, where: str, registry: Any) -> Iterator[tuple[str, Mapping, Any]]:
    """Yield (place, config, registry) of every component below ``node``."""
    if isinstance(node, (list, tuple)):
        for i, value in enumerate(node):
            yield from _components(value, f'{where}.{i}', registry)
        return
    if not isinstance(node, Mapping):
        return
    is_foreign = False
    if isinstance(node.get('type'), str) and registry is not None:
        yield where, node, registry
        is_foreign = node['type'].partition('.')[0] in registries.FOREIGN_PACKAGES
    if is_foreign:
        return
    for key, value in node.items():
        if key not in _UNCHECKED and isinstance(value, (Mapping, list, tuple)):
            part = registry if registry is registries.HOOKS else _PARTS.get(key, registry)
            yield from _components(value, f'{where}.{key}', part)


def _check_component(where: str, config: Mapping, registry: Any) -> None:
    try:
        component = registry.get(config['type'])
    except registries.UnknownComponentError as error:
        raise registries.UnknownComponentError(f'{where}: {error}') from None
    accepted = _accepted_arguments(component)
    if accepted is not None and registry is registries.PARAM_SCHEDULERS:
        accepted.add('convert_to_iter_based')  # taken out by mmengine's Runner
    if accepted is not None and registry is registries.OPTIM_WRAPPERS:
        accepted |= {'constructor', 'paramwise_cfg'}  # the same
    for key in config:
        if accepted is not None and key not in accepted and key not in ('type', '_scope_'):
            raise ConfigError(f'{where}: {config["type"]} has no argument {key!r}.{did_you_mean(key, accepted)}')


def _accepted_arguments(component: Any) -> set[str] | None:
    """Return the names of all arguments of a constructor, those that it passes on included; None if any goes."""
    if not inspect.isclass(component):
        return None
    names: set[str] = set()
    for cls in component.__mro__:
        if '__init__' not in vars(cls):
            continue
        try:
            parameters = inspect.signature(cls.__init__).parameters.values()
        except ValueError:
            return None
        names |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)} - {'self'}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return names
    return None
