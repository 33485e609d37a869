"""Monocular depth."""

from __future__ import annotations

import math

import numpy as np

from mtlbox.registry import TASKS
from mtlbox.tasks.base import Array
from mtlbox.tasks.ranges import RangeTask

USUAL = (0.1, 150.0)
"""Metres between which the median depth of a picture lies, whatever it shows."""
INDOORS, OUTDOORS = (0.3, 15.0), (0.5, 300.0)
"""The same of pictures of rooms, and of streets."""
_SMALLER = {'millimetres': 1000, 'centimetres': 100}  # units, and how many of them a metre has


def likely_unit(median: float, usual: tuple[float, float] = USUAL) -> str:
    """Say what depths look like whose median is beyond what is ``usual`` in metres, e.g. ``'millimetres'``.

    It is the unit in which the median is nearest to the (geometric) middle of ``usual``; ``'no metres'`` if in none it
    lies within.
    """
    low, high = usual
    fitting = {unit: median / many for unit, many in _SMALLER.items() if low <= median / many <= high}
    return min(fitting, key=lambda unit: abs(math.log(fitting[unit] ** 2 / (low * high))), default='no metres')


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

    def doubt(self, gt: Array, *, usual: tuple[float, float] | None = None, lossy: bool = False) -> str:
        """Say where the depths do not look like metres, and what they look like."""
        known = gt[gt > 0]
        if not known.size:
            return ''
        median, (low, high) = float(np.median(known)), usual or USUAL
        if low <= median <= high:
            return ''
        if median > high:
            looks = likely_unit(median, (low, high))
        else:
            looks = 'depths scaled to 0..1' if known.max() <= 1 else 'no metres'
        return f'the median depth is {median:.4g}: these look like {looks}; {low:g} to {high:g} metres are expected'

    def to_uint16(self, prediction: Array) -> Array:
        """Millimetres."""
        return np.round(np.clip(prediction * 1000, 0, 65535)).astype(np.uint16)

    def from_integers(self, stored: Array) -> Array:
        """Millimetres of 16 bits; 8 bits have no unit that everyone takes."""
        if np.iinfo(stored.dtype).bits < 16:
            raise ValueError(f'the unit of {self.key!r} in {stored.dtype} is not known: give it')
        return stored.astype(np.float32) / np.float32(1000)
