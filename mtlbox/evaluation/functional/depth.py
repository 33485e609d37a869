"""Depth errors of predictions p against true depths g, in metres (in the unit of the maps).

- ``rmse``: root of the mean of (p - g)^2; ``absErr``: mean of abs(p - g); ``relErr``: mean of abs(p - g) / g.
- ``rmse_log``: root of the mean of e^2 with e = ln p - ln g; ``log10``: mean of abs(log10 p - log10 g); ``silog``:
  100 times the standard deviation of e, which does not see a common factor (Eigen et al., NeurIPS 2014).
- ``delta1``, ``delta2``, ``delta3``: share of pixels with max(p / g, g / p) below 1.25, 1.25^2, 1.25^3, in percent.

In the last two lines predictions below ``SMALLEST`` count as that, since a network may predict depths of 0 and less.

A pixel is valid where ``low < gt < high``. Two ways to average are in use: over all valid pixels of the data set
(``pooling='pixel'``), or over images, each with its own average over its valid pixels (``pooling='image'``).
"""

from __future__ import annotations

import numpy as np

from mtlbox.evaluation.functional._arrays import Array, check_pooling, finite_double, same_shape

SCORES = ('rmse', 'absErr', 'relErr', 'rmse_log', 'log10', 'silog', 'delta1', 'delta2', 'delta3')
"""Names of the scores."""

SMALLEST = 1e-3
"""Least prediction in logarithms and ratios, 1 mm."""

STATISTIC_SIZE = len(SCORES) + 1


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
        (10,) float64. 'pixel': sums over valid pixels of squared error, absolute error, absolute error / true depth,
        squared log error, absolute log10 error, log error, pixels within 1.25, 1.25^2, 1.25^3, and their number.
        'image': the scores of this image, and 1. Zeros if no pixel is valid.

    Raises:
        ValueError: If the shapes differ, a value is NaN or infinite, or ``pooling`` is unknown.
    """
    check_pooling(pooling)
    pred, target = finite_double(pred, 'the predicted depth'), finite_double(target, 'the true depth')
    same_shape(pred, target)
    low, high = valid_range
    valid = (target > low) & (target < high)
    true = target[valid]
    error = np.abs(pred[valid] - true)
    logs = np.log(np.maximum(pred[valid], SMALLEST)) - np.log(true)
    within = [(np.abs(logs) < k * np.log(1.25)).sum() for k in (1, 2, 3)]
    plain = [np.square(error).sum(), error.sum(), (error / true).sum()]
    in_logs = [np.square(logs).sum(), np.abs(logs).sum() / np.log(10), logs.sum()]
    sums = np.array([*plain, *in_logs, *within, error.size], dtype=np.float64)
    if pooling == 'pixel' or not error.size:
        return sums
    exact = {'silog': 100 * float(logs.std())}  # a difference of two sums has half as many digits near 0
    return np.array([*(depth_scores(sums, 'pixel') | exact).values(), 1.0])


def depth_scores(statistic: np.ndarray, pooling: str = 'pixel') -> dict[str, float]:
    """Finalise a sum of statistics.

    Args:
        statistic: (10,) sum of what ``depth_statistic`` returned with the same ``pooling``.
        pooling: 'pixel' or 'image'.

    Returns:
        The scores by their names in ``SCORES``, all NaN if nothing was valid.

    Raises:
        ValueError: If ``pooling`` is unknown.
    """
    check_pooling(pooling)
    *sums, count = (float(value) for value in statistic)
    if not count:
        return dict.fromkeys(SCORES, float('nan'))
    means = dict(zip(SCORES, (value / count for value in sums), strict=True))
    if pooling == 'image':
        return means
    bias = means.pop('silog')  # at this place the statistic has the sum of the log errors
    spread = 100 * float(np.sqrt(max(means['rmse_log'] - bias**2, 0.0)))
    roots = {name: float(np.sqrt(means[name])) for name in ('rmse', 'rmse_log')}
    shares = {name: 100 * means[name] for name in ('delta1', 'delta2', 'delta3')}
    found = means | roots | shares | {'silog': spread}
    return {name: found[name] for name in SCORES}


def depth_errors(
    pred: Array, target: Array, valid_range: tuple[float, float] = (0.0, float('inf'))
) -> dict[str, float]:
    """Errors over all valid pixels of the given maps.

    Args:
        pred: Predicted depth, any shape.
        target: True depth, same shape, 0 where invalid.
        valid_range: (low, high), both exclusive: the true depths that count.

    Returns:
        The scores by their names in ``SCORES``, all NaN if nothing is valid.

    Raises:
        ValueError: If the shapes differ or a value is NaN or infinite.
    """
    return depth_scores(depth_statistic(pred, target, valid_range))
