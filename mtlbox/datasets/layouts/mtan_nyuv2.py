"""Writing MTAN's NYUv2 layout; what it looks like is described where it is read, in :mod:`mtlbox.datasets.nyuv2`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mtlbox.datasets.layouts.mtan import encode_classes, encode_image, encode_range, in_split
from mtlbox.datasets.layouts.writing import Files
from mtlbox.tasks.base import Array


def encode(
    image: Array, semseg: Array | None = None, depth: Array | None = None, normals: Array | None = None
) -> dict[str, Array]:
    """Turn one sample into the files of the layout.

    The layout has every file for every index, so that a missing label is written as a map without a labelled pixel.

    Args:
        image: ``(H, W, 3)`` RGB, uint8 or float32 in 0..255.
        semseg: ``(H, W)``, classes and 255.
        depth: ``(H, W)`` metres, 0 unknown.
        normals: ``(H, W, 3)``, zero vector unknown.

    Returns:
        ``{path without suffix, relative to the split's folder: array}``.
    """
    size = image.shape[:2]
    return {
        'image/{index}': encode_image(image),
        'label/{index}': encode_classes(semseg, size),
        'depth/{index}': encode_range(depth, size),
        'normal/{index}': (np.zeros((*size, 3)) if normals is None else normals).astype(np.float32),
    }


def encode_room(room: Mapping[str, Array]) -> Files:
    """Turn a rendered room into the files of the layout, below the root."""
    return in_split(encode(room['image'], room['semseg'], room['depth'], room['normals']))
