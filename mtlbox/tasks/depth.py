"""Monocular depth."""

from __future__ import annotations

import cv2
import numpy as np

from mtlbox.registry import TASKS
from mtlbox.tasks.base import Array, Task


@TASKS.register_module()
class Depth(Task):
    """Depth along the camera axis in metres; 0 is unknown.

    Args:
        key: The task's key.
    """

    primary_score = 'rmse'
    higher_is_better = False

    def __init__(self, *, key: str = 'depth') -> None:
        super().__init__(key=key)

    def on_zoom(self, gt: Array, zoom: float) -> Array:
        """What looks ``zoom`` times larger is taken to be that much nearer."""
        return gt / np.float32(zoom)

    def check_values(self, gt: Array, where: str) -> None:
        """Raise ValueError on NaN, infinite or negative depths."""
        super().check_values(gt, where)
        if gt.min() < 0:
            raise ValueError(f'{where}: the map of {self.key!r} holds negative depths (down to {gt.min():g} m).')

    def draw(self, prediction: Array, reference: Array | None = None) -> Array:
        """Draw near as red and far as blue; unknown is black."""
        known = prediction if reference is None else reference
        known = known[known > 0]
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        scaled = np.clip((high - prediction) / max(high - low, 1e-6), 0, 1)
        colours = cv2.applyColorMap((scaled * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1].copy()
        colours[prediction <= 0] = 0
        return colours

    def to_uint16(self, prediction: Array) -> Array:
        """Millimetres."""
        return np.round(np.clip(prediction * 1000, 0, 65535)).astype(np.uint16)

    def from_integers(self, stored: Array) -> Array:
        """Millimetres of 16 bits; 8 bits have no unit that everyone takes."""
        if np.iinfo(stored.dtype).bits < 16:
            raise ValueError(f'the unit of {self.key!r} in {stored.dtype} is not known: give it')
        return stored.astype(np.float32) / np.float32(1000)
