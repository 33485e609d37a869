"""What the readers of data sets say alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_LISTED = 5  # damaged files that a message names


def some(items: Sequence[str]) -> str:
    """Return the first of ``items``, and how many more there are."""
    more = f' and {len(items) - _LISTED} more' if len(items) > _LISTED else ''
    return ', '.join(items[:_LISTED]) + more


def free_folder(root: str) -> str:
    """Return a folder that a replica may be written to: ``root`` itself where it is free or a replica was begun."""
    path = Path(root)
    usable = not path.exists() or (path / 'replica.json').is_file() or (path.is_dir() and not any(path.iterdir()))
    return root if usable else f'{root.rstrip("/")}_replica'
