"""Disparity, in data sets that offer it in the place of depth."""

from __future__ import annotations

import numpy as np

from mtlbox.registry import TASKS
from mtlbox.tasks.base import Array
from mtlbox.tasks.ranges import RangeTask


@TASKS.register_module()
class Disparity(RangeTask):
    """Disparity between the cameras of a stereo pair, as a share of full scale; 0 is unknown.

    It is the inverse of depth times the baseline and the focal length, so it is a task of its own and no option of
    :class:`~mtlbox.tasks.depth.Depth`: its numbers grow towards the camera and under a zoom, they are no metres, and
    its scores compare with none of depth. What full scale is depends on the data set. 16-bit pictures of it hold
    65535 for full scale.

    Args:
        key: The task's key.
    """

    unit = 'of full scale'
    near_is_large = True
    plural = 'disparities'

    def __init__(self, *, key: str = 'disparity') -> None:
        super().__init__(key=key)

    def on_zoom(self, gt: Array, zoom: float) -> Array:
        """What looks ``zoom`` times larger is taken to be that much nearer, which multiplies its disparity."""
        return gt * np.float32(zoom)
