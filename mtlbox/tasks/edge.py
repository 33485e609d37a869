"""Regressed image edges, as in Taskonomy."""

from __future__ import annotations

import cv2
import numpy as np

from mtlbox.registry import TASKS
from mtlbox.tasks.base import Array, Task

_LARGEST = np.sqrt(20)  # a corner: of the two derivatives of 0..1 one can be 4 and the other 2 at the same time


@TASKS.register_module()
class Edge(Task):
    """Edge strength from 0 to 1: Taskonomy's texture edges, a Sobel magnitude without suppression; -1 is ignored.

    Where a data set has no such label, the target is computed from the image: grey values, Gaussian blur, the
    magnitude of the Sobel derivatives, divided by its largest possible value. Taskonomy (CVPR 2018, supplement)
    describes it as Canny without non-maximum suppression; its blur is not stated, so ``sigma`` is ours.

    Args:
        key: The task's key.
        sigma: Standard deviation of the blur in pixels of the image that is read.
    """

    ignore_value = -1.0
    interpolation = cv2.INTER_LINEAR
    primary_score = 'F1'
    higher_is_better = True

    def __init__(self, *, key: str = 'edge', sigma: float = 1.0) -> None:
        super().__init__(key=key)
        if not sigma > 0:
            raise ValueError(f'sigma of {key!r} must be positive, but is {sigma}.')
        self.sigma = sigma

    def derive(self, image: Array) -> Array:
        """Return the edge strength of an RGB image in 0..255, float32 ``(H, W)`` in 0..1."""
        grey = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2GRAY)
        grey = cv2.GaussianBlur(grey, (0, 0), self.sigma)
        across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
        return np.minimum(np.hypot(across, down) / np.float32(_LARGEST), 1)

    def resample(self, array: Array, size: tuple[int, int]) -> Array:
        """Resample the strengths bilinearly where all four neighbours are known, else ignore the pixel."""
        hole = super().resample((array < 0).astype(np.float32), size)
        return self._keep_ignored(super().resample(array, size), hole)

    def rotate(self, gt: Array, degrees: float) -> Array:
        """Turn the map; what mixes with ignored pixels is ignored."""
        hole = (gt < 0).astype(np.float32)
        return self._keep_ignored(super().rotate(gt, degrees), self.warp_rotation(hole, degrees, border=1.0))

    def _keep_ignored(self, strengths: Array, hole: Array) -> Array:
        return np.where(hole > 1e-6, self.ignore_value, np.clip(strengths, 0, 1)).astype(strengths.dtype)

    def check_values(self, gt: Array, where: str) -> None:
        """Raise ValueError on NaN or strengths outside 0..1 (-1 is ignored)."""
        super().check_values(gt, where)
        legal = ((gt >= 0) & (gt <= 1)) | (gt == self.ignore_value)
        if not legal.all():
            raise ValueError(
                f'{where}: the map of {self.key!r} holds values such as {gt[~legal][0]:g}, '
                'but only 0..1 and -1 (ignored) are legal.'
            )
