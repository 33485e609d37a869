"""The base of tasks that say how far away things are: positive numbers of which 0 is unknown."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np

from mtlbox.tasks.base import Array, Task
from mtlbox.tasks.palette import Palette


class RangeTask(Task):
    """Positive numbers, one per pixel; 0 is unknown. A subclass says what they are and what a zoom does to them.

    Args:
        key: The task's key.
    """

    primary_score = 'rmse'
    higher_is_better = False
    near_is_large: ClassVar[bool]
    """Whether the numbers grow towards the camera."""
    plural: ClassVar[str]
    """What messages call the numbers."""

    def check_values(self, gt: Array, where: str) -> None:
        """Raise ValueError on NaN, infinite or negative numbers."""
        super().check_values(gt, where)
        if gt.min() < 0:
            unit = f' {self.unit}' if self.unit else ''
            raise ValueError(
                f'{where}: the map of {self.key!r} holds negative {self.plural} (down to {gt.min():g}{unit}).'
            )

    def draw(self, prediction: Array, reference: Array | None = None, palette: Palette | None = None) -> Array:
        """Draw near as red and far as blue; unknown is black."""
        known = prediction if reference is None else reference
        known = known[known > 0]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        nearness = prediction - low if self.near_is_large else high - prediction
        scaled = np.clip(nearness / max(high - low, 1e-6), 0, 1)
        colours = cv2.applyColorMap((scaled * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1].copy()
        colours[prediction <= 0] = 0
        return colours
