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

_TINY = np.float32(1e-9)  # in the place of 0, where it is divided by


def normals_from_depth(
    depth: Array,
    focal: tuple[float, float],
    centre: tuple[float, float],
    *,
    window: int = 7,
    jump: float = 0.1,
) -> Array:
    """Return unit normals ``(H, W, 3)`` float32 in camera axes (x right, y down, z forward), facing the camera.

    Computed in float32, whose rounding turns a normal by less than 0.02 degrees at focal lengths up to 2500 pixels.

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
    depth = np.ascontiguousarray(depth, dtype=np.float32)
    x, y, z = _gradients(depth, window)
    u, v = (np.arange(size, dtype=np.float32) for size in depth.shape[::-1])
    z -= x * (u - np.float32(centre[0]))
    z -= y * (v - np.float32(centre[1]))[:, None]
    x *= np.float32(focal[0])
    y *= np.float32(focal[1])
    squared = cv2.multiply(x, x)
    cv2.accumulateSquare(y, squared)
    cv2.accumulateSquare(z, squared)
    length = np.maximum(cv2.sqrt(squared, dst=squared), _TINY, out=squared)
    factor = cv2.divide(-1.0, length, dst=length)  # towards the camera
    factor *= _is_smooth(depth, window, jump)
    for part in (x, y, z):
        part *= factor
    return cv2.merge((x, y, z))


def _gradients(depth: Array, window: int) -> tuple[Array, Array, Array]:
    """Return by column, by row and level of the plane fitted to inverse depth, each ``(H, W)`` float32."""
    inverse = cv2.divide(1.0, np.maximum(depth, _TINY))
    steps = np.arange(window) - window // 2
    slope, mean = steps / (steps**2).sum(), np.full(window, 1 / window)

    def fitted(horizontal: Array, vertical: Array) -> Array:
        return cv2.sepFilter2D(inverse, cv2.CV_32F, horizontal, vertical, borderType=cv2.BORDER_REPLICATE)

    return fitted(slope, mean), fitted(mean, slope), fitted(mean, mean)


def _is_smooth(depth: Array, window: int, jump: float) -> Array:
    """Return where the window lies in the image and holds known depths that differ by no more than ``jump``."""
    square = np.ones((window, window), dtype=np.uint8)
    near = cv2.erode(depth, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    far = cv2.dilate(depth, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return (near > 0) & (far <= np.multiply(near, np.float32(1 + jump), out=near))


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
