"""Scores of saliency maps: probabilities cut at many thresholds.

Two ways to average are in use: IoU, precision and recall of each image, averaged over images (``pooling='image'``), or
precision and recall from pixel counts over the data set (``pooling='pixel'``). All scores are percent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mtlbox.evaluation.functional._arrays import Array, binary_truth, check_pooling, probabilities, ratio

SCORES = ('mIoU', 'maxF')
"""Names of the scores."""


def saliency_statistic(
    pred: Array,
    target: Array,
    thresholds: Sequence[float],
    *,
    strict: bool = False,
    pooling: str = 'pixel',
    ignore_index: int = 255,
) -> NDArray[np.float64]:
    """Sufficient statistic of one image; statistics of single images add up to the data set's.

    Args:
        pred: Probabilities in 0..1, any shape.
        target: 1 salient, 0 not, ``ignore_index`` where nothing counts; same shape.
        thresholds: The T cuts.
        strict: Whether a salient pixel is above the threshold, or else at or above it.
        pooling: 'image' or 'pixel'.
        ignore_index: Value of the true pixels that do not count.

    Returns:
        (T, 4) float64. 'image': IoU (1 where neither map has a salient pixel), precision and recall (0 where there is
        nothing to divide by), and 1. 'pixel': numbers of pixels that are salient in both, in the prediction, in the
        truth, and of all that count. Zeros if no pixel counts.

    Raises:
        ValueError: If the shapes differ, a prediction is not in 0..1 (or is NaN), a truth is none of 0, 1 and
            ``ignore_index``, or ``pooling`` is unknown.
    """
    check_pooling(pooling)
    pred = probabilities(pred, 'the predicted saliency')
    salient, counted = binary_truth(target, 'the true saliency', pred.shape, ignore_index)
    strength, true = pred[counted], salient[counted]
    # how many of all pixels, and of the salient ones, are cut off at each threshold
    side: Literal['left', 'right'] = 'right' if strict else 'left'
    all_off, true_off = (np.searchsorted(np.sort(x), thresholds, side) for x in (strength, strength[true]))
    both, predicted = true.sum() - true_off, strength.size - all_off
    counts = np.stack(np.broadcast_arrays(both, predicted, true.sum(), strength.size), axis=1).astype(np.float64)
    if pooling == 'pixel' or not strength.size:
        return counts
    precision, recall = ratio(counts[:, 0], counts[:, 1]), ratio(counts[:, 0], counts[:, 2])
    union = counts[:, 1] + counts[:, 2] - counts[:, 0]
    iou = np.where(union > 0, ratio(counts[:, 0], union), 1.0)
    return np.stack([iou, precision, recall, np.ones(len(counts))], axis=1)


def saliency_scores(
    statistic: NDArray[np.float64], pooling: str = 'pixel', beta_squared: float = 0.3
) -> dict[str, float]:
    """Finalise a sum of statistics.

    Args:
        statistic: (T, 4) sum of what ``saliency_statistic`` returned with the same ``pooling``.
        pooling: 'image' or 'pixel'.
        beta_squared: F is (1 + beta^2) P R / (beta^2 P + R), 0 where P and R are.

    Returns:
        In percent, the largest over thresholds: ``mIoU``, the mean IoU over images, or for 'pixel' the IoU of the
        counts, and ``maxF``. NaN if nothing counted.

    Raises:
        ValueError: If ``pooling`` is unknown.
    """
    check_pooling(pooling)
    first, second, third, count = np.asarray(statistic, dtype=np.float64).T
    if not count.any():
        return dict.fromkeys(SCORES, float('nan'))
    if pooling == 'image':
        iou, precision, recall = first / count, second / count, third / count
    else:
        precision, recall = ratio(first, second), ratio(first, third)
        iou = ratio(first, second + third - first)
    f = ratio((1 + beta_squared) * precision * recall, beta_squared * precision + recall)
    return {'mIoU': 100.0 * float(iou.max()), 'maxF': 100.0 * float(f.max())}
