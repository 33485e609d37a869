"""What several layouts store alike, encoded; the reverse of :mod:`mtlbox.datasets.decode`."""

from __future__ import annotations

import numpy as np

from mtlbox.tasks.base import Array


def picture_of_binary(binary: Array) -> Array:
    """Turn 0 and 1 ``(H, W)`` into a picture of 0 and 255."""
    return (binary * 255).astype(np.uint8)


def picture_of_unit(normals: Array) -> Array:
    """Turn unit vectors ``(H, W, 3)`` into a picture, -1..1 as 0..255; the zero vector becomes grey."""
    return np.clip(np.rint((normals + 1) * 127.5), 0, 255).astype(np.uint8)


def hundredths(depth: Array) -> Array:
    """Turn metres ``(H, W)``, 0 unknown, into centimetres, uint16, 65535 unknown."""
    return np.where(depth > 0, np.clip(np.rint(depth * 100), 0, 65534), 65535).astype(np.uint16)


def numbers_of_classes(classes: Array) -> Array:
    """Turn classes and 255 ``(H, W)`` into numbers that begin with 1, and 0, uint8."""
    return np.where(classes == 255, 0, classes.astype(np.int16) + 1).astype(np.uint8)
