"""Reading a config file so that what is wrong with it is said before any data is read.

``load_config`` is ``mmengine.Config.fromfile`` and these checks: the file and what it inherits are Python in which
nothing is named twice; ``--cfg-options`` may only change what is there; keys at the top are the Runner's or helpers;
every component exists and knows its arguments, whose values have the right types; model, data sets and metrics agree on
the tasks.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mtlbox.config.components import check_sections
from mtlbox.config.errors import ConfigError
from mtlbox.config.keys import RUNNER_KEYS, check_top_level
from mtlbox.config.options import apply_option
from mtlbox.config.source import explained, read_source
from mtlbox.config.tasks import check_tasks
from mtlbox.registry import did_you_mean

__all__ = ['ConfigError', 'check_config', 'config_hash', 'config_text', 'laid_out', 'load_config', 'require_sections']

_NEEDED = {
    'train': ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper'),
    'test': ('model', 'test_dataloader', 'test_cfg', 'test_evaluator'),
    'infer': ('model', 'test_dataloader'),
    'count': ('model',),
}


def load_config(
    path: str | Path, cfg_options: Mapping[str, Any] | None = None, *, purpose: str | None = None
) -> Config:
    """Read a config file, apply options, and check the result.

    A helper variable at the top level (``tasks``, ``data_root``) is only a name for a value that stands elsewhere:
    an option that changes it changes every key of that name that has that value, and is refused if there is none.

    Args:
        path: The config file.
        cfg_options: ``{'model.neck.gamma': 0.1}``; an integer addresses an element of a list.
        purpose: What the config must have the sections for: ``'train'``, ``'test'``, ``'infer'`` or ``'count'``.

    Raises:
        FileNotFoundError: There is no such file, or none that it inherits from.
        ConfigError: A file is no Python, fails, or names a key twice; an option names a key that is not there; a key
            has no meaning; a value is of another type than is asked for; or the tasks of model, data sets and metrics
            differ.
        UnknownComponentError: A component is not registered.
        ImportError: A module of ``custom_imports`` cannot be imported.
    """
    path = Path(path)
    source = read_source(path, RUNNER_KEYS)
    cfg = explained(path, lambda: Config.fromfile(path, import_custom_modules=False), list(source.files()))
    _import_custom(cfg, path)
    for option, value in (cfg_options or {}).items():
        apply_option(cfg, option, value, RUNNER_KEYS)
    check_config(cfg, str(path), is_used=source.uses, replaces_used=source.replaces_used)
    if purpose is not None:
        require_sections(cfg, str(path), _NEEDED[purpose])
    return cfg


def check_config(
    cfg: Config,
    name: str,
    *,
    is_used: Callable[[str], bool] = lambda key: False,
    replaces_used: Callable[[str], bool] = lambda key: False,
) -> None:
    """Raise :class:`ConfigError` or ``UnknownComponentError`` if ``cfg`` cannot be meant as it is written.

    Args:
        cfg: The config.
        name: What it is called in messages.
        is_used: Says of a key at the top whether its value was used to make another one.
        replaces_used: Says of it whether it has another value than the one that a base has used.
    """
    check_top_level(cfg, name, is_used, replaces_used)
    if not isinstance(cfg.get('channels_last', False), bool):
        raise ConfigError(f'{name}: channels_last must be True or False, but is {cfg.channels_last!r}.')
    check_sections(cfg, name)
    check_tasks(cfg, name)


def laid_out(model: dict[str, Any], cfg: Config) -> dict[str, Any]:
    """Return the section ``model``, with ``channels_last=True`` where the config says so at the top.

    Args:
        model: The section, as a model is built from it.
        cfg: The config.
    """
    return {**model, 'channels_last': True} if cfg.get('channels_last') else model


def require_sections(cfg: Config, name: str, keys: tuple[str, ...]) -> None:
    """Raise :class:`ConfigError` if a section is missing, or one of a group that are needed together."""
    groups = [
        keys,
        *(tuple(f'{split}_{part}' for part in ('dataloader', 'cfg', 'evaluator')) for split in ('val', 'test')),
    ]
    for group in groups:
        missing = [key for key in group if cfg.get(key) is None]
        if missing and (group is keys or len(missing) < len(group)):
            there = [key for key in group if key not in missing]
            beside = f' beside {", ".join(there)}' if there else ''
            raise ConfigError(f'{name} has no {missing[0]!r}{beside}.{did_you_mean(missing[0], set(cfg) - set(group))}')
        for loader in (key for key in group if key.endswith('_dataloader') and cfg.get(key) is not None):
            for part in ('dataset', 'sampler'):
                if cfg[loader].get(part) is None:
                    raise ConfigError(f'{name}: {loader} has no {part!r}.{did_you_mean(part, map(str, cfg[loader]))}')


_formatted = ['', '']  # the content of a config, and its text


def config_text(cfg: Config) -> str:
    """Return ``cfg`` as Python source, ``cfg.pretty_text``; formatting it takes a second, so the last one is kept."""
    content = repr(cfg)
    if _formatted[0] != content:
        _formatted[:] = content, cfg.pretty_text
    return _formatted[1]


def config_hash(cfg: Config) -> str:
    """Return twelve hexadecimal digits that stand for the whole content of ``cfg``."""
    return hashlib.sha256(config_text(cfg).encode()).hexdigest()[:12]


def _import_custom(cfg: Config, path: Path) -> None:
    """Import what ``custom_imports`` names, as mmengine would, and say what is wrong with it."""
    wanted = cfg.get('custom_imports')
    if not isinstance(wanted, Mapping) or not wanted.get('imports'):
        return
    names = wanted['imports']
    for name in [names] if isinstance(names, str) else names:
        try:
            importlib.import_module(name)
        except Exception as error:
            if wanted.get('allow_failed_imports') and isinstance(error, ImportError):
                continue
            hint = ''
            if isinstance(error, ModuleNotFoundError):
                hint = ' Install the package that has it (pip install -e FOLDER), or put its folder into PYTHONPATH.'
            what = f'{type(error).__name__}: {error}'
            raise ImportError(f'{path}: custom_imports: the module {name!r} failed: {what}.{hint}') from error
