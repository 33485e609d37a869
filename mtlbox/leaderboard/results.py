"""What a ``result.json`` says, read with care: it may be of an older mtlbox, or edited by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KINDS: Mapping[type | tuple[type, ...], str] = {
    str: 'a text',
    int: 'a whole number',
    Mapping: 'keys and values',
    list: 'a list',
}


def read_result(path: str | Path) -> Mapping[str, Any]:
    """Read a result file.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is no JSON object; the message names the file.
    """
    try:
        content = json.loads(Path(path).read_text(encoding='utf-8'))
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is not valid JSON: {error}') from error
    if not isinstance(content, Mapping):
        raise ValueError(f'{path} holds {str(content)[:60]!r}: expected the result.json of a finished run')
    return content


def expect(content: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    """Return the value of ``key``, None where it is not there or null.

    Raises:
        ValueError: It is not of ``kind``, one of ``KINDS``; the message begins with ``where``.
    """
    value = content.get(key)
    if value is None:
        return None
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f'{where}: {key} must be {KINDS[kind]}, but is {_short(value)}')
    return value


def finite(value: Any) -> bool:
    """Whether ``value`` is a number that a float can hold, neither NaN nor infinite."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def expect_scores(content: Mapping[str, Any], key: str, where: str) -> dict[str, float | None]:
    """Return ``{score: number or None}`` of ``content[key]``, empty where it is not there.

    Raises:
        ValueError: It is something else; the message begins with ``where`` and names the score.
    """
    scores = expect(content, key, Mapping, where) or {}
    for name, value in scores.items():
        if value is not None and not finite(value):
            raise ValueError(f'{where}: {key}.{name} must be a number or null, but is {_short(value)}')
    return {name: None if value is None else float(value) for name, value in scores.items()}


def setting_of(data: Mapping[str, Any], where: str) -> str:
    """What sets the data of a result apart from those whose scores are published; '' for nothing.

    Results of mtlbox before the split was part of it are set apart by their split here: none of the data sets that it
    had then publishes scores of 'train', and of rooms, which had a setting, each split has scenes of its own.

    Args:
        data: ``data`` of the result.
        where: How messages begin.
    """
    setting, split = expect(data, 'setting', str, where) or '', expect(data, 'split', str, where)
    is_other = split == 'train' or (setting and split not in (None, 'val'))
    if is_other and not setting.startswith(f'{split} split'):
        return ', '.join(filter(None, (f'{split} split', setting)))
    return setting


def _short(value: Any) -> str:
    """``value`` as the start of a message can hold it."""
    try:
        text = repr(value)
    except ValueError:  # Python writes out no number of more than some thousand digits
        return 'a huge number'
    return text if len(text) <= 60 else f'{text[:60]}...'
