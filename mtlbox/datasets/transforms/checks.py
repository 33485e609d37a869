"""What transforms ask of their arguments when they are made, long before a worker would stumble over them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mtlbox.datasets.messages import is_whole


def check_size(size: Any) -> tuple[int, int]:
    """Return ``size`` as (H, W); raise ValueError unless it is two whole numbers from 1."""
    sides = tuple(size) if isinstance(size, Sequence) else ()
    if len(sides) != 2 or not all(is_whole(side, 1) for side in sides):
        raise ValueError(f'size must be (height, width), two whole numbers from 1, but is {size!r}.')
    return int(sides[0]), int(sides[1])


def check_number(name: str, value: Any, low: float, high: float) -> float:
    """Return ``value``, which messages call ``name``; raise ValueError unless it is a number in low..high."""
    if not (isinstance(value, (int, float)) and low <= value <= high):
        raise ValueError(f'{name} must be in {low:g}..{high:g}, but is {value!r}.')
    return float(value)


def check_range(name: str, values: Any) -> tuple[float, float]:
    """Return ``values`` as (low, high); raise ValueError unless it is two finite numbers, the lower one first."""
    ends = tuple(values) if isinstance(values, Sequence) else ()
    numbers = len(ends) == 2 and all(isinstance(end, (int, float)) for end in ends)
    if not numbers or not -float('inf') < ends[0] <= ends[1] < float('inf'):
        raise ValueError(f'{name} must be (low, high) with low <= high, but is {values!r}.')
    return float(ends[0]), float(ends[1])


def check_factors(name: str, values: Any) -> list[float]:
    """Return ``values``; raise ValueError unless they are finite numbers above 0, at least one."""
    factors = list(values) if isinstance(values, Sequence) else []
    if not factors or not all(_is_number(factor) and 0 < factor < float('inf') for factor in factors):
        raise ValueError(f'{name} must be positive factors, at least one, but is {values!r}.')
    return [float(factor) for factor in factors]


def check_colour(name: str, value: Any) -> tuple[float, ...]:
    """Return ``value`` as an RGB colour; raise ValueError unless it is three numbers in 0..255."""
    parts = tuple(value) if isinstance(value, Sequence) else ()
    if len(parts) != 3 or not all(_is_number(part) and 0 <= part <= 255 for part in parts):
        raise ValueError(f'{name} must be (red, green, blue), three numbers in 0..255, but is {value!r}.')
    return parts


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
