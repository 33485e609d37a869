"""What several data sets store alike, decoded."""

from __future__ import annotations

import cv2
import numpy as np

from mtlbox.datasets.image_file import read_image, read_map
from mtlbox.tasks.base import Array
from mtlbox.tasks.normals import unit as unit_vectors

_UNKNOWN = 0.5  # length below which a decoded normal stands for none


def binary_of_picture(path: str) -> Array:
    """Return 0 and 1 of a picture of 0 and 255; what lies between is rounded."""
    stored = read_map(path)
    if stored.max() == 1:
        raise ValueError(f'{path}: 0 and 255 are expected, but the largest value is 1.')
    return (stored > 127).astype(np.uint8)


def plane(stored: Array) -> Array:
    """Return an array ``(H, W, 1)`` as ``(H, W)``, and any other as it is."""
    return stored[..., 0] if stored.ndim == 3 and stored.shape[2] == 1 else stored


def require_floats(stored: Array, path: str, what: str) -> None:
    """Raise ValueError, naming ``path`` and ``what`` is expected, where ``stored`` is not of floats."""
    if stored.dtype.kind != 'f':
        raise ValueError(f'{path}: {what} must be floats, but it has type {stored.dtype}.')


def unit(normals: Array) -> Array:
    """Return vectors of unit length as float32, and zero where they are too short to mean anything."""
    return unit_vectors(normals.astype(np.float32, copy=False), _UNKNOWN)


def normals_of_picture(path: str) -> Array:
    """Return unit vectors of a picture that holds -1..1 as 0..255; grey is unknown."""
    return unit(cv2.addWeighted(picture := read_image(path), 2 / 255, picture, 0, -1, dtype=cv2.CV_32F))
