"""What several data sets store alike, decoded."""

from __future__ import annotations

import cv2
import numpy as np

from mtlbox.datasets.image_file import read_image, read_map, read_stored
from mtlbox.tasks.base import Array
from mtlbox.tasks.normals import unit as unit_vectors

_UNKNOWN = 0.5  # length below which a decoded normal stands for none


def binary_of_picture(path: str) -> Array:
    """Return 0 and 1 of a picture of probabilities that are stored as 0..255: what is above 127.5 is 1."""
    return (read_map(path) > 127).astype(np.uint8)


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


def normals_of_picture(path: str, grey: float = 127.5) -> Array:
    """Return unit vectors of a picture that holds -1..1 about ``grey``, as which 0 is stored; grey is unknown."""
    return unit(vectors_of_picture(path, grey))


def vectors_of_picture(path: str, grey: float = 127.5) -> Array:
    """Return the vectors of such a picture as they are stored, of whatever length, float32 ``(H, W, 3)``."""
    return cv2.addWeighted(picture := read_image(path), 1 / grey, picture, 0, -1, dtype=cv2.CV_32F)


def deep(path: str) -> Array:
    """Return a picture of one channel of 16 bits, uint16 ``(H, W)``; three channels that are equal count as one."""
    stored = read_stored(path)
    if stored.ndim == 3 and (stored[..., :1] == stored).all():
        stored = stored[..., 0]
    if stored.ndim != 2 or stored.dtype != np.uint16:
        kind = 'three channels' if stored.ndim == 3 else 'one channel'
        raise ValueError(
            f'{path}: one channel of 16 bits is expected, but it has {kind} of {stored.dtype.itemsize * 8}.'
        )
    return stored


def metres(stored: Array, per_metre: float) -> Array:
    """Return depths in metres, float32 ``(H, W)``, of uint16 ``(H, W)`` in which 0 and 65535 are unknown."""
    depth = stored.astype(np.float32)
    depth *= stored != 65535
    depth /= np.float32(per_metre)
    return depth


def numbered_classes(stored: Array, path: str, count: int) -> Array:
    """Return classes 0.. and 255, uint8, of stored numbers 1..``count`` and 0 for none.

    Raises:
        ValueError: There are other numbers; the message names ``path``.
    """
    if stored.max() > count:
        wrong = np.unique(stored[stored > count]).tolist()
        raise ValueError(f'{path} holds {wrong[:8]}, but only 1..{count} and 0 (no class) are expected.')
    return stored.astype(np.uint8) - np.uint8(1)  # 0 becomes 255


def looked_up(stored: Array, table: Array) -> Array:
    """Return the entries of a ``table`` of 256 numbers at ``stored``, uint8 ``(H, W)``; of the table's type.

    Raises:
        ValueError: ``stored`` is of another type.
    """
    if stored.dtype != np.uint8:
        raise ValueError(f'numbers of 8 bits are expected, but the type is {stored.dtype}')
    return cv2.LUT(stored, table)  # a quarter of the time of NumPy, which makes 64-bit indices first
