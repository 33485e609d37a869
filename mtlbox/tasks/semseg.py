"""Semantic segmentation."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from mtlbox.registry import TASKS
from mtlbox.tasks.base import Array, Task
from mtlbox.tasks.palette import IGNORED, Palette, distinct_colours


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

    def draw(self, prediction: Array, reference: Array | None = None, palette: Palette | None = None) -> Array:
        """Draw each class in its colour of ``palette``, by default one of its own; ignored pixels are white."""
        table = np.full((256, 3), IGNORED, dtype=np.uint8)
        table[: self.num_classes] = distinct_colours(self.num_classes) if palette is None else palette
        return table[np.clip(prediction, 0, 255).astype(np.uint8)]

    def to_uint16(self, prediction: Array) -> Array:
        """Class numbers are stored as they are."""
        return prediction.astype(np.uint16)

    def from_integers(self, stored: Array) -> Array:
        """Class numbers are stored as they are."""
        return stored.astype(np.int64)
