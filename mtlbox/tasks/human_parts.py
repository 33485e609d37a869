"""Human part segmentation."""

from __future__ import annotations

import numpy as np

from mtlbox.registry import TASKS
from mtlbox.tasks.base import Array
from mtlbox.tasks.semseg import SemSeg


@TASKS.register_module()
class HumanParts(SemSeg):
    """Human part segmentation: 0 is background, then one class per body part.

    An image or a crop in which no person is visible says nothing about parts and is ignored as a whole (255), as in
    the PASCAL-Context protocol of ASTMT.

    Args:
        key: The task's key.
        num_classes: Background and parts; 7 in PASCAL-Context.
    """

    def __init__(self, *, key: str = 'human_parts', num_classes: int = 7) -> None:
        super().__init__(key=key, num_classes=num_classes)

    def crop(self, gt: Array, top: int, left: int, height: int, width: int) -> Array:
        """Cut a window; one without a person becomes all-ignore."""
        return self._ignore_without_person(super().crop(gt, top, left, height, width))

    def resize(self, gt: Array, size: tuple[int, int], zoom: float = 1.0) -> Array:
        """Resample the map; one in which no pixel of a person is left becomes all-ignore."""
        return self._ignore_without_person(super().resize(gt, size, zoom))

    def rotate(self, gt: Array, degrees: float) -> Array:
        """Turn the map; one whose persons turn out of the picture becomes all-ignore."""
        return self._ignore_without_person(super().rotate(gt, degrees))

    def _ignore_without_person(self, gt: Array) -> Array:
        has_person = bool(((gt > 0) & (gt != self.ignore_value)).any())
        return gt if has_person else np.full_like(gt, self.ignore_value)
