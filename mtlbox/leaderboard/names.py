"""One name for each data set, backbone and score, from ``data/names.yml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / 'data'


@dataclass(frozen=True, kw_only=True)
class Score:
    """What is known of a score, e.g. of 'depth/rmse'.

    Attributes:
        higher_is_better: Its direction.
        unit: Its unit, '' for a plain ratio.
        low: The least value that a published number can have.
        high: The largest.
    """

    higher_is_better: bool
    unit: str
    low: float
    high: float


@cache
def _names() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / 'names.yml').read_text(encoding='utf-8'))


@cache
def known_scores() -> dict[str, Score]:
    """Every score that a row may have, by '<task>/<score>'."""
    return {
        name: Score(
            higher_is_better=entry['better'] == 'high',
            unit=entry['unit'],
            low=entry['range'][0],
            high=entry['range'][1],
        )
        for name, entry in _names()['scores'].items()
    }


@cache
def known_datasets() -> dict[str, str]:
    """Title of every data set by its name."""
    return {name: entry['title'] for name, entry in _names()['datasets'].items()}


@cache
def known_backbones() -> tuple[str, ...]:
    """Name of every backbone that a row may have."""
    return tuple(_names()['backbones'])


def canonical_dataset(name: str) -> str:
    """Name of the data set that is called ``name`` in a config or paper; ``name`` itself where it is not known."""
    return _lookup(name, {word: key for key, entry in _names()['datasets'].items() for word in (key, *entry['also'])})


def canonical_backbone(name: str) -> str:
    """Name of the backbone that is called ``name`` in a config or paper; ``name`` itself where it is not known."""
    return _lookup(name, {word: key for key, also in _names()['backbones'].items() for word in (key, *also)})


def backbone_of(model: Mapping[str, Any]) -> str | None:
    """Name of the backbone that the config of a model has, that of the wrapped one where a backbone wraps another.

    Args:
        model: ``cfg.model``: ``dict(backbone=dict(type='HRNet', arch='w18-small-v2'))`` is 'HRNet-W18-small-v2'.

    Returns:
        The name; None where the model has no backbone.
    """
    backbone = model.get('backbone')
    while isinstance(backbone, Mapping) and isinstance(backbone.get('backbone'), Mapping):
        backbone = backbone['backbone']
    if not isinstance(backbone, Mapping) or not isinstance(backbone.get('type'), str):
        return None
    kind, arch = backbone['type'].rpartition('.')[2], backbone.get('arch', backbone.get('depth'))
    return canonical_backbone(f'{kind}-{arch}' if isinstance(arch, (str, int)) else kind)


def _lookup(name: str, words: Mapping[str, str]) -> str:
    """Value of ``name`` in ``words``, where case and everything but letters and digits do not count, else ``name``."""
    return {_plain(word): key for word, key in words.items()}.get(_plain(name), name)


def _plain(name: str) -> str:
    return re.sub('[^a-z0-9]', '', name.lower())
