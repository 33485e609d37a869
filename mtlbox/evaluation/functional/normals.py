"""Angular errors of surface normals, in degrees.

Both vectors are renormalised; a zero true vector marks an invalid pixel, a zero prediction is 90 degrees off. The angle
between unit vectors p and g is 2 atan2(|p - g|, |p + g|), accurate everywhere, or arccos(p . g), which loses digits
near 0 and 180 degrees.

Mean, rmse and shares come from exact sums. The median over a data set comes from a histogram of ``BIN_WIDTH`` degrees,
each middle value placed by its rank within its bin: it is off by less than one bin width, and by far less on real
images.
"""

from __future__ import annotations

import numpy as np

from mtlbox.evaluation.functional._arrays import Array, finite_double, same_shape

ANGLES = ('atan2', 'arccos')
"""Formulas for the angle between two unit vectors."""

THRESHOLDS = (11.25, 22.5, 30.0)
"""Angles in degrees whose shares are reported; a pixel counts if its error is strictly smaller."""

BIN_WIDTH = 0.05
"""Bin width in degrees of the histogram behind the streaming median."""

NUM_BINS = 3600
STATISTIC_SIZE = 6 + NUM_BINS


def angular_error(pred: Array, target: Array, angle: str = 'atan2', channel_axis: int = 0) -> np.ndarray:
    """Angle between prediction and truth at each valid pixel.

    Args:
        pred: Predicted vectors, 3 components along ``channel_axis``, need not be of unit length.
        target: True vectors, same shape, zero where invalid.
        angle: 'atan2' or 'arccos'.
        channel_axis: Axis of the components: 0 for (3, H, W), -1 for (H, W, 3), 1 for (B, 3, H, W).

    Returns:
        (V,) float64 angles in degrees of the V valid pixels, in raster order.

    Raises:
        ValueError: If the shapes differ, there are not 3 components, a value is NaN or infinite, or ``angle`` is
            unknown.
    """
    if angle not in ANGLES:
        raise ValueError(f'angle={angle!r}: expected one of {ANGLES}')
    pred, target = finite_double(pred, 'the predicted normals'), finite_double(target, 'the true normals')
    same_shape(pred, target)
    if target.ndim < 1 or target.shape[channel_axis] != 3:
        raise ValueError(f'normals of shape {target.shape}: expected 3 components along axis {channel_axis}')
    valid = np.any(target != 0, axis=channel_axis)
    pred = _unit(np.moveaxis(pred, channel_axis, -1)[valid])  # (V, 3)
    target = _unit(np.moveaxis(target, channel_axis, -1)[valid])  # (V, 3)
    if angle == 'arccos':
        radians = np.arccos(np.clip((pred * target).sum(axis=1), -1.0, 1.0))
    else:
        radians = 2.0 * np.arctan2(np.linalg.norm(pred - target, axis=1), np.linalg.norm(pred + target, axis=1))
    return np.degrees(radians)


def normal_statistic(pred: Array, target: Array, angle: str = 'atan2', channel_axis: int = 0) -> np.ndarray:
    """Sufficient statistic of one image; statistics of single images add up to the data set's.

    Args:
        pred: Predicted vectors, as in ``angular_error``.
        target: True vectors, as in ``angular_error``.
        angle: 'atan2' or 'arccos'.
        channel_axis: Axis of the components.

    Returns:
        (6 + 3600,) float64: number of valid pixels, sum of angles, sum of squared angles, numbers below 11.25, 22.5 and
        30 degrees, histogram of the angles. Zeros if no pixel is valid.

    Raises:
        ValueError: As ``angular_error``.
    """
    error = angular_error(pred, target, angle, channel_axis)
    head = [error.size, error.sum(), np.square(error).sum(), *((error < t).sum() for t in THRESHOLDS)]
    bins = np.minimum((error / BIN_WIDTH).astype(np.int64), NUM_BINS - 1)
    return np.concatenate([np.asarray(head, dtype=np.float64), np.bincount(bins, minlength=NUM_BINS)])


def normal_scores(statistic: np.ndarray) -> dict[str, float]:
    """Finalise a sum of statistics.

    Args:
        statistic: (6 + 3600,) sum of what ``normal_statistic`` returned.

    Returns:
        ``mErr``, ``median`` and ``rmse`` in degrees; ``11.25``, ``22.5`` and ``30``, the shares of valid pixels with a
        smaller error in percent. All NaN if nothing was valid.
    """
    return _scores(statistic[:6], _histogram_median(statistic[6:]))


def normal_errors(pred: Array, target: Array, angle: str = 'atan2', channel_axis: int = 0) -> dict[str, float]:
    """Scores over all valid pixels of the given maps, as ``normal_scores`` but with the exact median.

    Args:
        pred: Predicted vectors, as in ``angular_error``.
        target: True vectors, as in ``angular_error``.
        angle: 'atan2' or 'arccos'.
        channel_axis: Axis of the components.

    Returns:
        The scores that ``normal_scores`` returns.

    Raises:
        ValueError: As ``angular_error``.
    """
    error = angular_error(pred, target, angle, channel_axis)
    head = [error.size, error.sum(), np.square(error).sum(), *((error < t).sum() for t in THRESHOLDS)]
    return _scores(np.asarray(head, dtype=np.float64), float(np.median(error)) if error.size else float('nan'))


def _scores(head: np.ndarray, median: float) -> dict[str, float]:
    """Scores from the six sums at the head of a statistic, and the median."""
    count = head[0]
    with np.errstate(invalid='ignore'):
        mean, square, *shares = (float(value) for value in head[1:] / count)
    scores = {'mErr': mean, 'median': median, 'rmse': float(np.sqrt(square))}
    return scores | {f'{threshold:g}': 100.0 * share for threshold, share in zip(THRESHOLDS, shares, strict=True)}


def _histogram_median(counts: np.ndarray) -> float:
    """Median from bin counts: the mean of the two middle values, each placed by its rank within its bin."""
    total = counts.sum()
    if not total:
        return float('nan')
    upto = np.cumsum(counts)
    middle = []
    for rank in ((total - 1) // 2, total // 2):
        index = int(np.searchsorted(upto, rank, side='right'))
        below = upto[index] - counts[index]
        middle.append(BIN_WIDTH * (index + (rank - below + 0.5) / counts[index]))
    return float(np.mean(middle))


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (V, 3) scaled to unit length; zero vectors stay zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
