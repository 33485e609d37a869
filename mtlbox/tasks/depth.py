"""Monocular depth."""

from __future__ import annotations

import numpy as np

from mtlbox.registry import TASKS
from mtlbox.tasks.base import Array
from mtlbox.tasks.ranges import RangeTask


@TASKS.register_module()
class Depth(RangeTask):
    """Depth along the camera axis in metres; 0 is unknown.

    Args:
        key: The task's key.
    """

    unit = 'm'
    near_is_large = False
    plural = 'depths'

    def __init__(self, *, key: str = 'depth') -> None:
        super().__init__(key=key)

    def on_zoom(self, gt: Array, zoom: float) -> Array:
        """What looks ``zoom`` times larger is taken to be that much nearer."""
        return gt / np.float32(zoom)

    def to_uint16(self, prediction: Array) -> Array:
        """Millimetres."""
        return np.round(np.clip(prediction * 1000, 0, 65535)).astype(np.uint16)

    def from_integers(self, stored: Array) -> Array:
        """Millimetres of 16 bits; 8 bits have no unit that everyone takes."""
        if np.iinfo(stored.dtype).bits < 16:
            raise ValueError(f'the unit of {self.key!r} in {stored.dtype} is not known: give it')
        return stored.astype(np.float32) / np.float32(1000)
