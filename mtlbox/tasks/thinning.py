"""Thinning of binary maps to lines of one pixel width.

The parallel algorithm with two subiterations of Guo and Hall in the form of Lam, Lee and Suen ("Thinning methodologies:
a comprehensive survey", TPAMI 1992), repeated until nothing changes: what MATLAB's ``bwmorph(..., 'thin', Inf)`` and
scikit-image's ``thin`` compute. Whether a pixel goes depends on its eight neighbours alone, so it is looked up in
a table of 256 entries, and only pixels whose neighbours have changed are looked at again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_OFFSETS = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))
"""The neighbours x1..x8 as (row, column) steps: east first, then counter-clockwise as seen. x_i is bit i - 1."""


def _tables() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pixels the first and the second subiteration delete, (256,) each, by the bits of their neighbours."""
    x = (np.arange(256)[:, None] >> np.arange(8)) & 1  # (256, 8)
    x = np.concatenate([x, x[:, :1]], axis=1).astype(bool)  # x9 is x1
    x1, x2, x3, x4, x5, x6, x7, x8, _ = x.T
    crossings = sum((~x[:, 2 * i] & (x[:, 2 * i + 1] | x[:, 2 * i + 2])).astype(int) for i in range(4))
    first = sum((x[:, 2 * i] | x[:, 2 * i + 1]).astype(int) for i in range(4))
    second = sum((x[:, 2 * i + 1] | x[:, 2 * i + 2]).astype(int) for i in range(4))
    pairs = np.minimum(first, second)
    base = (crossings == 1) & (pairs >= 2) & (pairs <= 3)
    return base & ~((x2 | x3 | ~x8) & x1), base & ~((x6 | x7 | ~x4) & x5)


_TABLES = _tables()


def thin(binary: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Thin a map until it stays as it is.

    Args:
        binary: (H, W) bool. What lies outside counts as not set.

    Returns:
        (H, W) bool, a subset of ``binary`` with the same connected parts.
    """
    height, width = binary.shape
    padded = np.zeros((height + 2, width + 2), dtype=np.uint8)
    padded[1:-1, 1:-1] = binary
    flat = padded.ravel()
    steps = [row * (width + 2) + column for row, column in _OFFSETS]
    changed = np.zeros(flat.size, dtype=np.int32)  # number of the subiteration that last deleted a neighbour
    pixels = np.flatnonzero(flat)
    step_number = 1
    while True:
        before = pixels.size
        for table in _TABLES:
            # the same table saw the others two subiterations ago, with the same neighbours
            looked_at = pixels[changed[pixels] >= step_number - 2] if step_number > 2 else pixels
            bits = np.zeros(looked_at.size, dtype=np.uint8)
            for bit, step in enumerate(steps):
                bits |= flat[looked_at + step] << bit
            gone = looked_at[table[bits]]
            flat[gone] = 0
            for step in steps:
                changed[gone + step] = step_number
            pixels = pixels[flat[pixels] > 0]
            step_number += 1
        if pixels.size == before:
            return padded[1:-1, 1:-1].astype(bool)
