"""Depth errors: rmse and absErr in metres (in the unit of the maps), relErr as a plain ratio.

A pixel is valid where ``low < gt < high``. Two ways to average are in use: over all valid pixels of the data set
(``pooling='pixel'``), or over images, each with its own average over its valid pixels (``pooling='image'``).
"""

from __future__ import annotations

import numpy as np

from mtlbox.evaluation.functional._arrays import Array, finite_double, same_shape

POOLINGS = ('pixel', 'image')
"""Ways to average over a data set."""

STATISTIC_SIZE = 4


def depth_statistic(
    pred: Array, target: Array, valid_range: tuple[float, float] = (0.0, float('inf')), pooling: str = 'pixel'
) -> np.ndarray:
    """Sufficient statistic of one image; statistics of single images add up to the data set's.

    Args:
        pred: Predicted depth, any shape.
        target: True depth, same shape, 0 where invalid.
        valid_range: (low, high), both exclusive: the true depths that count.
        pooling: 'pixel' or 'image'.

    Returns:
        (4,) float64. 'pixel': sums over valid pixels of squared error, absolute error, absolute error / true depth, and
        their number. 'image': rmse, absErr and relErr of this image, and 1. Zeros if no pixel is valid.

    Raises:
        ValueError: If the shapes differ, a value is NaN or infinite, or ``pooling`` is unknown.
    """
    _check_pooling(pooling)
    pred, target = finite_double(pred, 'the predicted depth'), finite_double(target, 'the true depth')
    same_shape(pred, target)
    low, high = valid_range
    valid = (target > low) & (target < high)
    true = target[valid]
    error = np.abs(pred[valid] - true)
    sums = np.array([np.square(error).sum(), error.sum(), (error / true).sum(), error.size], dtype=np.float64)
    if pooling == 'pixel' or not error.size:
        return sums
    return np.array([*depth_scores(sums, 'pixel').values(), 1.0])


def depth_scores(statistic: np.ndarray, pooling: str = 'pixel') -> dict[str, float]:
    """Finalise a sum of statistics.

    Args:
        statistic: (4,) sum of what ``depth_statistic`` returned with the same ``pooling``.
        pooling: 'pixel' or 'image'.

    Returns:
        ``rmse`` and ``absErr`` in metres and ``relErr``, all NaN if nothing was valid.

    Raises:
        ValueError: If ``pooling`` is unknown.
    """
    _check_pooling(pooling)
    squared, absolute, relative, count = (float(value) for value in statistic)
    if not count:
        return dict.fromkeys(('rmse', 'absErr', 'relErr'), float('nan'))
    first = squared / count
    rmse = float(np.sqrt(first)) if pooling == 'pixel' else first
    return {'rmse': rmse, 'absErr': absolute / count, 'relErr': relative / count}


def depth_errors(
    pred: Array, target: Array, valid_range: tuple[float, float] = (0.0, float('inf'))
) -> dict[str, float]:
    """Errors over all valid pixels of the given maps.

    Args:
        pred: Predicted depth, any shape.
        target: True depth, same shape, 0 where invalid.
        valid_range: (low, high), both exclusive: the true depths that count.

    Returns:
        ``rmse`` and ``absErr`` in the maps' unit and ``relErr``, all NaN if nothing is valid.

    Raises:
        ValueError: If the shapes differ or a value is NaN or infinite.
    """
    return depth_scores(depth_statistic(pred, target, valid_range))


def _check_pooling(pooling: str) -> None:
    """Raise a ValueError for an unknown way to average."""
    if pooling not in POOLINGS:
        raise ValueError(f'pooling={pooling!r}: expected one of {POOLINGS}')
