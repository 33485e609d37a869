"""The balanced loss that CTAL reports as its edge score on PASCAL-Context, as a metric of boundaries."""

from __future__ import annotations

import numpy as np

from mtlbox.evaluation.functional._arrays import Array, binary_truth, probabilities

LEAST = 1e-12
"""Least probability in a logarithm: without a second sigmoid a wrong 0 or 1 would else cost infinity."""


def balanced_loss(
    pred: Array,
    target: Array,
    pos_weight: float | None = None,
    second_sigmoid: bool = True,
    ignore_index: int = 255,
) -> float:
    """Weighted binary cross-entropy, mean over the pixels that count.

    With q the prediction, or its sigmoid if ``second_sigmoid`` (CTAL's code gives a probability to a loss that takes
    logits), and w the weight: -w ln q on boundary pixels, -(1 - w) ln(1 - q) on others.

    Args:
        pred: Probabilities in 0..1, any shape.
        target: 1 boundary, 0 not, ``ignore_index`` where nothing counts; same shape.
        pos_weight: w, in 0..1; None for the share of pixels that are no boundary (Xie and Tu, ICCV 2015).
        second_sigmoid: Whether the sigmoid is applied.
        ignore_index: Value of the true pixels that do not count.

    Returns:
        The loss, NaN if no pixel counts.

    Raises:
        ValueError: If the shapes differ, a prediction is not in 0..1 (or is NaN), a truth is none of 0, 1 and
            ``ignore_index``, or the weight is not in 0..1.
    """
    if pos_weight is not None and not 0 <= pos_weight <= 1:
        raise ValueError(f'pos_weight={pos_weight}: expected a weight from 0 to 1, or None')
    pred = probabilities(pred, 'the predicted boundary')
    positive, counted = binary_truth(target, 'the true boundary', pred.shape, ignore_index)
    q, positive = pred[counted], positive[counted]
    if not q.size:
        return float('nan')
    if second_sigmoid:
        q = 1 / (1 + np.exp(-q))
    weight = 1 - positive.mean() if pos_weight is None else pos_weight
    chosen = np.where(positive, q, 1 - q)
    return float((np.where(positive, weight, 1 - weight) * -np.log(np.maximum(chosen, LEAST))).mean())
