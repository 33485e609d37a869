"""odsF, oisF and AP from counts of matched boundary pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtlbox.evaluation.functional._arrays import Array, ratio, to_numpy

SCORES = ('odsF', 'odsP', 'odsR', 'oisF', 'AP')
"""Names of the scores."""

STEPS = 100
"""Points from one threshold to the next, both included, at which an interpolating protocol looks for the best F."""


class Curve(NamedTuple):
    """Precision, recall and F at every threshold, each (T,) in 0..1."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f: NDArray[np.float64]


def boundary_curve(counts: Array) -> Curve:
    """Precision, recall and their harmonic mean, 0 where nothing is there to divide by.

    Args:
        counts: (T, 4) as ``boundary_counts`` returns them, or a sum of such over images.
    """
    matched_truth, truth, matched_pred, pred = to_numpy(counts).astype(np.float64).T
    precision, recall = ratio(matched_pred, pred), ratio(matched_truth, truth)
    return Curve(precision, recall, _harmonic(precision, recall))


def boundary_statistic(counts: Array) -> NDArray[np.float64]:
    """Sufficient statistic of one image; statistics of single images add up to the data set's.

    Args:
        counts: (T, 4) counts of the image.

    Returns:
        (T + 1, 4): the counts, and once more those at the image's own best threshold, the first with the largest F.
    """
    counts = to_numpy(counts).astype(np.float64)
    return np.concatenate([counts, counts[[boundary_curve(counts).f.argmax()]]])


def statistic_scores(statistic: NDArray[np.float64], interpolate: bool = False) -> dict[str, float]:
    """Scores from a sum of statistics.

    Args:
        statistic: (T + 1, 4) sum of what ``boundary_statistic`` returned.
        interpolate: As in ``boundary_scores``.

    Returns:
        As ``boundary_scores``.
    """
    counts, own_best = statistic[:-1], statistic[-1:]
    if not counts[:, [1, 3]].any():
        return dict.fromkeys(SCORES, float('nan'))
    precision, recall, _ = boundary_curve(counts)
    ap = _average_precision(precision, recall)
    if interpolate:
        precision, recall = _between(precision), _between(recall)
    f = _harmonic(precision, recall)
    best = int(f.argmax())
    values = (f[best], precision[best], recall[best], boundary_curve(own_best).f[0], ap)
    return {name: 100.0 * float(value) for name, value in zip(SCORES, values, strict=True)}


def boundary_scores(counts: Array, interpolate: bool = False) -> dict[str, float]:
    """Scores of a data set.

    Args:
        counts: (N, T, 4), ``boundary_counts`` of N images at T thresholds in ascending order.
        interpolate: Whether the best F is looked for between thresholds too, on straight lines of precision and recall,
            as the BSDS benchmark does.

    Returns:
        In percent: ``odsF``, the largest F of the pooled counts over thresholds, with its precision ``odsP`` and recall
        ``odsR``; ``oisF``, the F of the counts pooled with each image at its own best threshold; ``AP``, the area under
        the curve of precision over recall, sampled at recalls 0, 0.01 .. 1 and 0 beyond its ends. All NaN if no image
        has a true or a predicted pixel.

    Raises:
        ValueError: If the counts have another shape.
    """
    counts = to_numpy(counts)
    if counts.ndim != 3 or counts.shape[2] != 4 or not counts.size:
        raise ValueError(f'boundary_scores: counts of shape {counts.shape}: expected (images, thresholds, 4)')
    return statistic_scores(np.sum([boundary_statistic(one) for one in counts], axis=0), interpolate)


def _harmonic(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> NDArray[np.float64]:
    """F with equal weights."""
    return ratio(2 * precision * recall, precision + recall)


def _between(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``values`` (T,) with ``STEPS`` points on the line from each one to the next."""
    if values.size < 2:
        return values
    share = np.linspace(0, 1, STEPS)
    return (values[:-1, None] * (1 - share) + values[1:, None] * share).ravel()


def _average_precision(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> float:
    """Area under precision over recall by a sum of hundredths; of equal recalls the first counts."""
    recalls, first = np.unique(recall, return_index=True)
    if recalls.size < 2:
        return 0.0
    return float(np.interp(np.linspace(0, 1, 101), recalls, precision[first], left=0, right=0).sum() / 100)
