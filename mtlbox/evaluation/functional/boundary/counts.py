"""Counts of matched boundary pixels of one image, at every threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtlbox.evaluation.functional._arrays import Array, binary_truth, probabilities
from mtlbox.evaluation.functional.boundary.matching import PixelMatcher
from mtlbox.evaluation.functional.boundary.nms import suppress
from mtlbox.tasks.thinning import thin

COLUMNS = ('matched true pixels', 'true pixels', 'matched predicted pixels', 'predicted pixels')
"""What the columns of the counts are."""

LEVELS = 255
"""Predictions are rounded to this many steps, those of the 8-bit pictures that the MATLAB tools read."""


def boundary_counts(
    pred: Array,
    truth: Array,
    thresholds: Sequence[float],
    max_distance: float = 0.0075,
    *,
    nms_radius: int | None = 1,
    thin_truth: bool = True,
    resegment_truth: bool = False,
    ignore_index: int = 255,
) -> NDArray[np.float64]:
    """Count matched pixels of one image at every threshold.

    The prediction is rounded to 8 bits, thinned by non-maximum suppression if asked for, and at every threshold cut,
    thinned to lines of one pixel, and matched one to one with the truth of every annotator
    (Martin, Fowlkes and Malik, TPAMI 2004): a predicted pixel counts as matched if any annotator's matching has it, and
    matched true pixels and true pixels are sums over annotators.

    Args:
        pred: (H, W) or (1, H, W) probabilities in 0..1.
        truth: (H, W) or (A, H, W), one map for each of A annotators: 1 on boundary pixels, 0 elsewhere, and
            ``ignore_index`` where nothing counts (for all annotators, if one says so).
        thresholds: The T cuts; a pixel is a boundary pixel if its strength is at least the threshold.
        max_distance: Largest distance of a matched pair, as a share of the image's diagonal.
        nms_radius: Radius of the non-maximum suppression in pixels; None for none.
        thin_truth: Whether the truth is thinned before it is matched.
        resegment_truth: Whether the truth is first replaced by the boundaries of the regions in it
            (``segment_boundaries``).
        ignore_index: Value of the true pixels that do not count.

    Returns:
        (T, 4) float64: matched true pixels, true pixels, matched predicted pixels, predicted pixels.

    Raises:
        ValueError: If the shapes do not fit, a prediction is not in 0..1 (or is NaN), or a truth is none of 0, 1 and
            ``ignore_index``.
    """
    strength, truths, counted = _checked(pred, truth, ignore_index)
    strength = np.round(strength * LEVELS) / LEVELS
    if nms_radius is not None:
        strength = suppress(strength, nms_radius)
    strength = np.where(counted, strength, 0.0)
    truths = [one & counted for one in truths]
    if resegment_truth:
        truths = [segment_boundaries(one) & counted for one in truths]
    if thin_truth:
        truths = [thin(one) for one in truths]
    distance = max_distance * float(np.hypot(*strength.shape))
    matchers = [PixelMatcher(one, distance) for one in truths]
    total = float(sum(one.sum() for one in truths))
    counts = np.zeros((len(thresholds), 4))
    counts[:, 1] = total
    known: dict[int, tuple[float, float, float]] = {}
    for index, threshold in enumerate(thresholds):
        cut = strength >= threshold
        size = int(cut.sum())
        if size not in known:  # cuts are nested, so as many pixels are the same pixels
            known[size] = _matched(thin(cut), matchers)
        counts[index, [0, 2, 3]] = known[size]
    return counts


def _matched(binary: NDArray[np.bool_], matchers: Sequence[PixelMatcher]) -> tuple[float, float, float]:
    """Matched true pixels over all annotators, predicted pixels that any of them matches, predicted pixels."""
    of_any = np.zeros(int(binary.sum()), dtype=bool)
    matched_truth = 0
    for matcher in matchers:
        matching = matcher.match(binary)
        of_any |= matching.pred >= 0
        matched_truth += int((matching.truth >= 0).sum())
    return float(matched_truth), float(of_any.sum()), float(of_any.size)


def segment_boundaries(labels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels whose right, lower or lower right neighbour has another value.

    Applied to a map of boundaries it draws them about two pixels wide, and up and to the left of where they were.

    Args:
        labels: (H, W).

    Returns:
        (H, W) bool. In the last row and column only the neighbour within it is looked at.
    """
    padded = np.pad(labels, ((0, 1), (0, 1)), mode='edge')
    differs = [padded[:-1, 1:] != labels, padded[1:, :-1] != labels, padded[1:, 1:] != labels]
    return np.logical_or.reduce(differs)


def _checked(
    pred: Array, truth: Array, ignore_index: int
) -> tuple[NDArray[np.float64], list[NDArray[np.bool_]], NDArray[np.bool_]]:
    """Prediction (H, W), the annotators' masks, and which pixels count, or a ValueError."""
    strength = probabilities(pred, 'the predicted boundary')
    strength = strength[0] if strength.ndim == 3 and len(strength) == 1 else strength
    maps, counted = binary_truth(truth, 'the true boundary', ignore_index=ignore_index)
    maps, counted = (one[None] if one.ndim == 2 else one for one in (maps, counted))
    if strength.ndim != 2 or maps.ndim != 3 or maps.shape[1:] != strength.shape or not len(maps) or not strength.size:
        raise ValueError(
            f'the predicted boundary has shape {strength.shape} and the true one {maps.shape}: expected (H, W) or '
            '(1, H, W), and (H, W) or (annotators, H, W)'
        )
    return strength, list(maps), np.asarray(counted.all(axis=0))
