"""Non-maximum suppression of soft boundary maps, as structured edges do it (Dollar and Zitnick, TPAMI 2015).

The orientation of a line is read from second derivatives of the map after smoothing with a triangle filter. A pixel
stays where its strength, enlarged by a factor a little above 1, is not below the strengths at 1..radius pixels to
both sides across the line; these are interpolated. Then strengths near the picture's frame, where the filter sees
little, are faded out linearly.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float64]

SMOOTHING = 4
"""Radius in pixels of the triangle filter before the orientation is read."""

TOLERANCE = 1.01
"""Factor by which a strength is enlarged before it is compared with its neighbours."""

FADE = 5
"""Width in pixels of the frame in which strengths are faded out."""


def orientation(strength: Map, smoothing: int = SMOOTHING) -> Map:
    """Angle across the line through every pixel.

    Args:
        strength: (H, W).
        smoothing: Radius of the triangle filter in pixels.

    Returns:
        (H, W) radians in 0..pi, from the x axis towards y (down). As in the original, 0 where the mixed derivative is
        exactly 0, so also on a line that is exactly horizontal and exactly even, which therefore is not suppressed.
    """
    tent = np.minimum(np.arange(1, 2 * smoothing + 2), np.arange(2 * smoothing + 1, 0, -1)) / (smoothing + 1) ** 2
    smooth = np.asarray(
        cv2.sepFilter2D(strength, cv2.CV_64F, tent, tent, borderType=cv2.BORDER_REFLECT), dtype=np.float64
    )
    down, across = _gradient(smooth)
    along = _gradient(across)
    down_down = _gradient(down)[0]
    # the 1e-5 keeps flat places defined, and is small against the second derivatives of any line
    return np.mod(np.arctan(down_down * np.sign(-along[0]) / (along[1] + 1e-5)), np.pi)


def suppress(strength: Map, radius: int = 1, tolerance: float = TOLERANCE, fade: int = FADE) -> Map:
    """Set to 0 what is not a maximum across its line.

    Args:
        strength: (H, W) probabilities.
        radius: How far to both sides a pixel is compared, in pixels.
        tolerance: Factor on the pixel's own strength; above 1, flat tops stay.
        fade: Width of the frame that is faded out, in pixels.

    Returns:
        (H, W).
    """
    height, width = strength.shape
    angle = orientation(strength)
    y, x = np.nonzero(strength)
    step_y, step_x = np.sin(angle[y, x]), np.cos(angle[y, x])
    kept = np.ones(y.size, dtype=bool)
    own = strength[y, x] * tolerance
    for distance in [*range(-radius, 0), *range(1, radius + 1)]:
        kept &= own >= _interpolate(strength, y + distance * step_y, x + distance * step_x)
    out = np.zeros_like(strength)
    out[y[kept], x[kept]] = strength[y[kept], x[kept]]
    fade = min(fade, height // 2, width // 2)
    if fade:
        out *= _fading(height, fade)[:, None] * _fading(width, fade)
    return out


def _gradient(values: Map) -> tuple[Map, Map]:
    """Derivatives down and across: central differences, one-sided at the frame, 0 along an axis of one pixel."""
    parts = [np.gradient(values, axis=axis) if values.shape[axis] > 1 else np.zeros_like(values) for axis in (0, 1)]
    return parts[0], parts[1]


def _interpolate(values: Map, y: Map, x: Map) -> Map:
    """Bilinear samples (N,); places outside are moved to the frame."""
    height, width = values.shape
    y, x = np.clip(y, 0, max(height - 1.001, 0)), np.clip(x, 0, max(width - 1.001, 0))
    top, left = y.astype(np.int64), x.astype(np.int64)
    down, right = y - top, x - left
    bottom, end = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    upper = values[top, left] * (1 - right) + values[top, end] * right
    lower = values[bottom, left] * (1 - right) + values[bottom, end] * right
    return upper * (1 - down) + lower * down


def _fading(length: int, fade: int) -> Map:
    """Factors (length,): 0, 1/fade, ... 1 from both ends inwards, for 0 < fade <= length / 2."""
    factors = np.ones(length)
    factors[:fade] = np.arange(fade) / fade
    factors[-fade:] = np.arange(fade)[::-1] / fade
    return factors
