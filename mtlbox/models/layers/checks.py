"""Checks of arguments that several modules make."""

from __future__ import annotations

import difflib


def one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ValueError, with the nearest choice, unless ``value`` of the argument ``name`` is one of ``choices``."""
    if value not in choices:
        near = difflib.get_close_matches(str(value), choices, 1)
        raise ValueError(
            f'{name}: expected one of {choices}, got {value!r}' + (f'; meant {near[0]!r}?' if near else '')
        )
