"""Samples as NumPy files, one per map, which is what a training reads fastest (docs/data.md has the figures).

::

    {list of a split}           one name per line, where the data set has its lists
    image/{name}.npy            (H, W, 3) uint8, RGB
    {label}/{name}.npy          (H, W) uint8 classes, 0 and 1, and 255; (H, W) float32; or
                                (H, W, 3) int16 vectors, components times 32767

Everything is in the toolbox's encoding, exact but for vectors, whose components are off by up to 1.6e-5, which is 0.002
degrees. A label that a sample lacks is a map in which every pixel is ignored.
"""

from __future__ import annotations

import numpy as np

from mtlbox.datasets import npy
from mtlbox.tasks.base import Array

ARRAYS = 'arrays'
"""Name of the layout."""
_FULL = 32767


def read_array(path: str) -> Array:
    """Return the map that a file holds, in the toolbox's encoding."""
    stored = npy.load(path)
    if stored.ndim == 3 and stored.dtype == np.int16:
        return stored * np.float32(1 / _FULL)
    return stored


def encode_array(array: Array) -> Array:
    """Return what a file holds of an image or a map; the reverse of :func:`read_array`.

    Raises:
        ValueError: It holds integers that do not fit into 8 bits.
    """
    if array.dtype.kind == 'f':
        return np.rint(array * _FULL).astype(np.int16) if array.ndim == 3 else array.astype(np.float32)
    narrow = array.astype(np.uint8)
    if not (narrow == array).all():
        raise ValueError(f'integers from {array.min()} to {array.max()} do not fit into 8 bits')
    return narrow
