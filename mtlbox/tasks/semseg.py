"""Semantic segmentation."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from mtlbox.registry import TASKS
from mtlbox.tasks.base import Array, Task


@TASKS.register_module()
class SemSeg(Task):
    """Semantic segmentation: one class per pixel.

    Ground truth and prediction are class numbers 0..num_classes-1; 255 in the ground truth is ignored.

    Args:
        key: The task's key.
        num_classes: How many classes there are, background included where it counts.
    """

    dtype = torch.long
    ignore_value = 255
    kinds = 'iu'
    likelihood = 'categorical'
    primary_score = 'mIoU'
    higher_is_better = True

    def __init__(self, *, key: str = 'semseg', num_classes: int) -> None:
        super().__init__(key=key)
        if not 2 <= num_classes <= 254:
            raise ValueError(f'num_classes of {key!r} must be 2 to 254, but is {num_classes}.')
        self.num_classes = self.channels = num_classes

    def check_values(self, gt: Array, where: str) -> None:
        """Raise ValueError if a label is neither a class nor 255, or the map is not of an integer type."""
        super().check_values(gt, where)
        low, high = int(gt.min()), int(gt.max())
        if low >= 0 and high < self.num_classes:
            return
        wrong = np.unique(gt[(gt < 0) | ((gt >= self.num_classes) & (gt != 255))])
        if wrong.size:
            raise ValueError(
                f'{where}: the map of {self.key!r} holds {wrong.tolist()[:8]}, '
                f'but only 0..{self.num_classes - 1} and 255 (ignored) are legal.'
            )

    def decode(self, logits: Tensor) -> Tensor:
        """Return the most likely class, long ``(B, 1, H, W)``."""
        return logits.argmax(1, keepdim=True)

    def constant(self, maps: Iterable[Array]) -> Array:
        """Return the commonest class ``(1,)``."""
        counts = np.zeros(256, dtype=np.int64)
        for gt in maps:
            counts += np.bincount(gt.ravel(), minlength=256)
        return np.array([counts[: self.num_classes].argmax()])

    def draw(self, prediction: Array, reference: Array | None = None) -> Array:
        """Draw each class in its colour; ignored pixels are white."""
        return _PALETTE[np.clip(prediction, 0, 255).astype(np.uint8)]

    def to_uint16(self, prediction: Array) -> Array:
        """Class numbers are stored as they are."""
        return prediction.astype(np.uint16)

    def from_integers(self, stored: Array) -> Array:
        """Class numbers are stored as they are."""
        return stored.astype(np.int64)


def _palette() -> Array:
    """256 colours, each as far as can be from those before it; 0 is dark grey, 255 (ignored) is white."""
    levels = np.array([0, 36, 73, 109, 146, 182, 219, 255])
    candidates = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3).astype(np.float64)
    colours = np.zeros((256, 3), dtype=np.uint8)
    colours[0], colours[255] = 60, 255
    nearest = np.minimum(*(np.linalg.norm(candidates - colours[i], axis=1) for i in (0, 255)))
    for index in range(1, 255):
        colours[index] = candidates[nearest.argmax()]
        nearest = np.minimum(nearest, np.linalg.norm(candidates - colours[index], axis=1))
    return colours


_PALETTE = _palette()
