"""Semantic boundary detection."""

from __future__ import annotations

import cv2
import numpy as np

from mtlbox.registry import TASKS
from mtlbox.tasks.base import Array
from mtlbox.tasks.binary import BinaryTask
from mtlbox.tasks.thinning import thin


@TASKS.register_module()
class Boundary(BinaryTask):
    """Boundaries between classes or objects: 1 on a boundary pixel, else 0.

    Args:
        key: The task's key.
    """

    primary_score = 'odsF'

    def __init__(self, *, key: str = 'boundary') -> None:
        super().__init__(key=key)

    def rescale(self, gt: Array, size: tuple[int, int]) -> Array:
        """Bring the map to ``size`` with all of its lines, which a nearest neighbour would miss, a pixel wide.

        In training, :meth:`resize` takes the nearest neighbour, as the field's protocols do.
        """
        if gt.shape[:2] == tuple(size):
            return gt
        share = cv2.resize((gt == 1).astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_AREA)
        rescaled = self.resize(gt, size)
        rescaled[rescaled == 1] = 0
        rescaled[thin(share > 0)] = 1
        return rescaled
