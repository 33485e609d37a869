"""What the readers of data sets say alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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


def free_folder(root: str) -> str:
    """Return a folder that a replica may be written to: ``root`` itself where it is free or a replica was begun."""
    path = Path(root)
    usable = not path.exists() or (path / REPLICA_MARKER).is_file() or (path.is_dir() and not any(path.iterdir()))
    return root if usable else f'{root.rstrip("/")}_replica'


def how_to_get(origin: str, layout: str, root: str) -> str:
    """Say where a data set comes from, and how to do without: by a replica of ``layout``, in the place of ``root``."""
    return (
        f'To get it: {origin}\n'
        'To try everything without it, on rendered rooms: '
        f'python tools/data.py replica {layout} {free_folder(root)}'
    )


def is_meant(root: str, part: str) -> str:
    """Ask whether a folder in ``root`` is meant, where one holds the path ``part``; else return ''."""
    path = Path(root)
    nested = sorted(str(child) for child in path.iterdir() if (child / part).exists()) if path.is_dir() else []
    return f' Is data_root={nested[0]!r} meant?' if nested else ''
