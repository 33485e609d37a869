"""F1 of regressed edge strengths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtlbox.evaluation.functional._arrays import Array, finite_double, same_shape

SCORES = ('F1', 'precision', 'recall')
"""Names of the scores."""


def edge_statistic(pred: Array, target: Array, threshold: float) -> NDArray[np.float64]:
    """Sufficient statistic of one image; statistics of single images add up to the data set's.

    Args:
        pred: Predicted strengths, any shape.
        target: True strengths from 0 to 1, negative where nothing counts; same shape.
        threshold: Strength at and above which a pixel is an edge.

    Returns:
        (4,) float64: pixels that are edges in both, in the prediction, in the truth, and all that count.

    Raises:
        ValueError: If the shapes differ or a value is NaN or infinite.
    """
    pred, target = finite_double(pred, 'the predicted edge strength'), finite_double(target, 'the true edge strength')
    same_shape(pred, target)
    counted = target >= 0
    predicted, true = pred[counted] >= threshold, target[counted] >= threshold
    return np.array([(predicted & true).sum(), predicted.sum(), true.sum(), true.size], dtype=np.float64)


def edge_scores(statistic: NDArray[np.float64]) -> dict[str, float]:
    """Finalise a sum of statistics.

    Args:
        statistic: (4,) sum of what ``edge_statistic`` returned.

    Returns:
        ``F1``, ``precision`` and ``recall`` in percent, 0 where there is nothing to divide by, NaN if nothing counted.
    """
    both, predicted, true, count = (float(value) for value in statistic)
    if not count:
        return dict.fromkeys(SCORES, float('nan'))
    return {
        'F1': 200.0 * both / (predicted + true) if predicted + true else 0.0,
        'precision': 100.0 * both / predicted if predicted else 0.0,
        'recall': 100.0 * both / true if true else 0.0,
    }


def edge_f1(pred: Array, target: Array, threshold: float = 0.1) -> float:
    """F1 of edge pixels over all given maps, in percent.

    VTAGML (Bhattacharjee et al., ICCV 2023) reports an F1 of its edges and says neither the threshold, nor whether
    places may differ, nor how images are averaged. Here prediction and truth are cut at one strength, places must be
    equal, and pixels are pooled.

    Args:
        pred: Predicted strengths, any shape.
        target: True strengths from 0 to 1, negative where nothing counts; same shape.
        threshold: Strength at and above which a pixel is an edge.

    Returns:
        The F1; NaN if nothing counts.

    Raises:
        ValueError: If the shapes differ or a value is NaN or infinite.
    """
    return edge_scores(edge_statistic(pred, target, threshold))['F1']
