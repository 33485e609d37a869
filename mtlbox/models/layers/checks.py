"""Checks of arguments that several modules make."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from mtlbox.registry import did_you_mean
from mtlbox.tasks import Task


def one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ValueError, with the nearest choice, unless ``value`` of the argument ``name`` is one of ``choices``."""
    if value not in choices:
        near = difflib.get_close_matches(str(value), choices, 1)
        raise ValueError(
            f'{name}: expected one of {choices}, got {value!r}' + (f'; meant {near[0]!r}?' if near else '')
        )


def at_least(least: float, **values: float) -> None:
    """Raise ValueError, with the argument's name, if one of ``values`` is below ``least``."""
    for name, value in values.items():
        if value < least:
            raise ValueError(f'{name}: expected {least} or more, got {value}')


def reject_changes(needed: str, switches: Mapping[str, tuple[object, object]]) -> None:
    """Raise ValueError if one of ``switches``, by name its value and its default, is set though it would do nothing.

    Args:
        needed: What gives them an effect, and that it is missing, as the message is to say it.
        switches: Value and default by name.
    """
    for name, (value, default) in switches.items():
        if value != default:
            raise ValueError(f'{name}={value!r} is for {needed}: set {name}={default!r} too')


def reject_unknown(given: Mapping, tasks: Mapping[str, Task], what: str) -> None:
    """Raise ValueError if ``given``, a dict by task key, names something that is no task."""
    for key in given:
        if key not in tasks:
            raise ValueError(f'{what} names {key!r}, which is not a task.{did_you_mean(key, tasks)}')
