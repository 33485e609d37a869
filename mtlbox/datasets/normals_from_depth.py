"""Surface normals computed from a depth map.

On a plane n.P = d, seen by a pinhole camera, inverse depth is an affine function of the pixel: with w = 1/z, P = z r
and the ray r = ((u - cx)/fx, (v - cy)/fy, 1), w = n.r / d. So its gradient, by least squares over a window, gives

    n ~ (fx w_u, fy w_v, w - w_u (u - cx) - w_v (v - cy)),

turned to face the camera. Nothing is fitted across a jump in depth.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from mtlbox.tasks.base import Array


def normals_from_depth(
    depth: Array,
    focal: tuple[float, float],
    centre: tuple[float, float],
    *,
    window: int = 7,
    jump: float = 0.1,
) -> Array:
    """Return unit normals ``(H, W, 3)`` float32 in camera axes (x right, y down, z forward), facing the camera.

    Args:
        depth: ``(H, W)`` along the optical axis, in any unit; 0 is unknown.
        focal: (fx, fy) in pixels.
        centre: (cx, cy) in pixels, the first pixel being (0, 0).
        window: Odd side of the square that the gradient is taken over.
        jump: A pixel whose window holds depths that differ by more than this share has no normal, nor has one whose
            window holds an unknown depth or leaves the image: zero vector.

    Raises:
        ValueError: ``window`` is even or below 3.
    """
    if window < 3 or window % 2 == 0:
        raise ValueError(f'window must be odd and at least 3, but is {window}.')
    depth = np.asarray(depth, dtype=np.float64)
    height, width = depth.shape
    inverse = np.where(depth > 0, 1 / np.maximum(depth, 1e-9), 0)
    steps = np.arange(window) - window // 2
    slope, mean = steps / (steps**2).sum(), np.full(window, 1 / window)

    def fitted(horizontal: Array, vertical: Array) -> Array:
        return cv2.sepFilter2D(inverse, cv2.CV_64F, horizontal, vertical, borderType=cv2.BORDER_REPLICATE)

    along_u, along_v, level = fitted(slope, mean), fitted(mean, slope), fitted(mean, mean)
    u, v = np.meshgrid(np.arange(width) - centre[0], np.arange(height) - centre[1])
    normals = -np.stack([focal[0] * along_u, focal[1] * along_v, level - along_u * u - along_v * v], axis=-1)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)

    square = np.ones((window, window), dtype=np.uint8)
    near = cv2.erode(depth, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    far = cv2.dilate(depth, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    known = (near > 0) & (far <= (1 + jump) * near) & (length[..., 0] > 0)
    return np.where(known[..., None], normals / np.maximum(length, 1e-12), 0).astype(np.float32)


class Pinhole(NamedTuple):
    """A camera of pictures of a given size.

    Attributes:
        focal: (fx, fy) in pixels.
        centre: (cx, cy) in pixels, the first pixel being (0, 0).
        size: (H, W) of the pictures that these numbers are of.
    """

    focal: tuple[float, float]
    centre: tuple[float, float]
    size: tuple[int, int]

    def normals(self, depth: Array, *, window: int) -> Array:
        """Return :func:`normals_from_depth` of ``depth``, which may be of pictures reduced to another size."""
        y, x = depth.shape[0] / self.size[0], depth.shape[1] / self.size[1]
        focal = (self.focal[0] * x, self.focal[1] * y)
        centre = ((self.centre[0] + 0.5) * x - 0.5, (self.centre[1] + 0.5) * y - 0.5)
        return normals_from_depth(depth, focal, centre, window=window)
