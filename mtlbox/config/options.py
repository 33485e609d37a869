"""``--cfg-options``: they change what a config says, and add nothing."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from mtlbox.config.errors import ConfigError
from mtlbox.registry import did_you_mean


def apply_option(cfg: Config, option: str, value: Any, runner_keys: set[str]) -> None:
    """Set the key ``option`` of ``cfg`` to ``value``.

    An option for a helper variable reaches every key of its name that has its value.

    Raises:
        ConfigError: There is no such key, or it is a helper variable that no key has its value from.
    """
    _check_option(cfg, option)
    helper = option.partition('.')[0]
    before = copy.deepcopy(cfg[helper])
    option, value = _around_tuples(cfg, option, value)
    try:
        cfg.merge_from_dict({option: value})
    except (TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f'--cfg-options {option}: {error}') from None
    if helper in runner_keys or cfg[helper] == before:
        return
    used = sum(_replace(section, helper, before, cfg[helper]) for key, section in cfg.items() if key != helper)
    if not used:
        raise ConfigError(
            f'--cfg-options {option}: {helper!r} is a helper variable of the config file, and no key of that name '
            'has its value. Change the key that it was used for, e.g. model.neck.feature_size; '
            'tools/print_config.py shows them all.'
        )


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
            if not part.isdecimal() or int(part) >= len(node):
                raise ConfigError(
                    f'--cfg-options {option}: {place} is a list of {len(node)}, and {part!r} is no index of it.'
                )
            node = node[int(part)]
        else:
            raise ConfigError(f'--cfg-options {option}: {place} is {node!r} and has no keys.')


def _around_tuples(cfg: Config, option: str, value: Any) -> tuple[str, Any]:
    """Return an option that replaces the whole of the tuple that ``option`` addresses an element of, if it does."""
    parts = option.split('.')
    node: Any = cfg._cfg_dict
    for depth, part in enumerate(parts):
        if isinstance(node, tuple):
            whole = copy.deepcopy(node)
            return '.'.join(parts[:depth]), _with_element(whole, parts[depth:], value)
        node = node[int(part)] if isinstance(node, list) else node[part]
    return option, value


def _with_element(node: Any, parts: list[str], value: Any) -> Any:
    if not parts:
        return value
    if isinstance(node, (list, tuple)):
        index = int(parts[0])
        return type(node)([*node[:index], _with_element(node[index], parts[1:], value), *node[index + 1 :]])
    node[parts[0]] = _with_element(node[parts[0]], parts[1:], value)
    return node


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
