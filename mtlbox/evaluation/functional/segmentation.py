"""Scores of class maps (semantic segmentation, human parts) from one confusion matrix.

The confusion matrix is the sufficient statistic: matrices of single images add up to the data set's. Families of papers
differ in one thing only, what a class counts that is neither predicted nor present (``absent``). All scores are
percent.
"""

from __future__ import annotations

import numpy as np

from mtlbox.evaluation.functional._arrays import Array, same_shape, to_numpy

ABSENT = ('zero', 'skip')
"""Ways to count a class whose union of prediction and ground truth is empty."""


def confusion_matrix(pred: Array, target: Array, num_classes: int, ignore_index: int = 255) -> np.ndarray:
    """Count the pixels of each (true class, predicted class) pair.

    Args:
        pred: Predicted labels 0..num_classes-1, any shape.
        target: True labels 0..num_classes-1 or ``ignore_index``, same shape.
        num_classes: Number of classes K.
        ignore_index: Label of pixels that do not count; there the prediction is not looked at.

    Returns:
        (K, K) float64 counts, rows the true and columns the predicted class.

    Raises:
        ValueError: If the shapes differ, a map holds no integers, or a label that counts is out of range.
    """
    pred, target = to_numpy(pred), to_numpy(target)
    same_shape(pred, target)
    counted = target != ignore_index
    labels = []
    for what, values in (('the prediction', pred), ('the ground truth', target)):
        labels.append(_labels(values[counted], what, num_classes, ignore_index))
    pairs = labels[1] * num_classes + labels[0]
    counts = np.bincount(pairs, minlength=num_classes * num_classes)
    return counts.reshape(num_classes, num_classes).astype(np.float64)


def _labels(values: np.ndarray, what: str, num_classes: int, ignore_index: int) -> np.ndarray:
    """Return the labels that count as int64, or raise a ValueError that tells what is wrong with them."""
    if values.dtype.kind not in 'iub':
        raise ValueError(f'{what} has dtype {values.dtype}: expected integer class labels')
    values = values.astype(np.int64)
    if values.size and (values.min() < 0 or values.max() >= num_classes):
        wrong = np.unique(values[(values < 0) | (values >= num_classes)])
        shown = ', '.join(str(label) for label in wrong[:5]) + (', ...' if wrong.size > 5 else '')
        raise ValueError(
            f'{what} has labels out of range: {shown}; expected 0..{num_classes - 1}'
            f' (and {ignore_index} to ignore, in the ground truth only)'
        )
    return values


def class_iou(confusion: Array) -> np.ndarray:
    """Intersection over union of each class in percent, NaN where prediction and ground truth both lack the class.

    Args:
        confusion: (K, K) counts, rows true, columns predicted.

    Returns:
        (K,) float64.
    """
    confusion = to_numpy(confusion).astype(np.float64)
    hits = np.diag(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    return 100.0 * np.divide(hits, union, out=np.full(hits.shape, np.nan), where=union > 0)


def mean_iou(confusion: Array, absent: str = 'zero') -> float:
    """Mean intersection over union in percent.

    Args:
        confusion: (K, K) counts, rows true, columns predicted.
        absent: A class that is neither predicted nor present counts 0 ('zero') or is left out ('skip'). A class that is
            predicted but not present counts 0 in both.

    Returns:
        The mean over classes; NaN if no pixel was counted at all.

    Raises:
        ValueError: If ``absent`` is neither.
    """
    if absent not in ABSENT:
        raise ValueError(f'absent={absent!r}: expected one of {ABSENT}')
    iou = class_iou(confusion)
    if np.isnan(iou).all():
        return float('nan')
    return float(np.nan_to_num(iou).mean() if absent == 'zero' else np.nanmean(iou))


def pixel_accuracy(confusion: Array) -> float:
    """Share of the counted pixels whose class is right, in percent; NaN if no pixel was counted.

    Args:
        confusion: (K, K) counts, rows true, columns predicted.
    """
    confusion = to_numpy(confusion).astype(np.float64)
    total = confusion.sum()
    return float(100.0 * np.trace(confusion) / total) if total > 0 else float('nan')


def segmentation_scores(confusion: Array, absent: str = 'zero') -> dict[str, float]:
    """Finalise a confusion matrix.

    Args:
        confusion: (K, K) counts, rows true, columns predicted, summed over the images.
        absent: As in ``mean_iou``.

    Returns:
        ``mIoU`` and ``pixAcc`` in percent, NaN if no pixel was counted.
    """
    return {'mIoU': mean_iou(confusion, absent), 'pixAcc': pixel_accuracy(confusion)}
