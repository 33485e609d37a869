"""What the readers of data sets say alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPLICA_MARKER = 'replica.json'
"""Name of the file that marks a folder as a replica and holds its parameters."""
UNFINISHED_MARKER = 'unfinished.txt'
"""Name of the file that marks a folder which is being converted; it says what goes on."""
LISTED = 5
"""Damaged or missing files that a message names."""


def some(items: Sequence[str], count: int | None = None) -> str:
    """Return the first of ``items``, and how many more there are; ``count`` in all, where these are not all of them."""
    count = len(items) if count is None else count
    return ', '.join(items[:LISTED]) + (f' and {count - LISTED} more' if count > LISTED else '')


def is_whole(value: Any, least: int) -> bool:
    """Return whether ``value`` is a whole number from ``least``; a bool is none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def check_whole(where: str, value: Any, least: int = 1) -> None:
    """Raise ValueError, naming ``where``, unless ``value`` is a whole number from ``least``."""
    if not is_whole(value, least):
        raise ValueError(f'{where} must be a whole number from {least}, but is {value!r}.')


def check_dict(where: str, value: Any, example: str) -> None:
    """Raise TypeError, naming ``where`` and an ``example``, unless ``value`` is a dict."""
    if not isinstance(value, Mapping):
        raise TypeError(f'{where} must be a dict, e.g. {example}, but is {value!r}.')


def free_folder(root: str) -> str:
    """Return a folder that a replica may be written to: ``root`` itself where it is free or a replica was begun."""
    path = Path(root)
    usable = not path.exists() or (path / REPLICA_MARKER).is_file() or (path.is_dir() and not any(path.iterdir()))
    return root if usable else f'{root.rstrip("/")}_replica'


def origin_at(origin: str, root: str) -> str:
    """Return where a data set comes from, with ``root`` for each ``{root}``; other braces stay."""
    return origin.replace('{root}', root)


def how_to_get(origin: str, layout: str, root: str) -> str:
    """Say where a data set comes from, and how to do without: by a replica of ``layout``, in the place of ``root``.

    ``origin`` is that of the data set, which may hold ``{root}``.
    """
    return (
        f'To get it: {origin_at(origin, root)}\n'
        'To try everything without it, on rendered rooms: '
        f'python tools/data.py replica {layout} {free_folder(root)}'
    )


def is_meant(root: str, part: str) -> str:
    """Ask whether a folder in ``root`` is meant, where one holds the path ``part``; else return ''."""
    path = Path(root)
    nested = sorted(str(child) for child in path.iterdir() if (child / part).exists()) if path.is_dir() else []
    return f' Is data_root={nested[0]!r} meant?' if nested else ''
