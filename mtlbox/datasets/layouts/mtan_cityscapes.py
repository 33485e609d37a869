"""Writing MTAN's Cityscapes layout; it is described where it is read, in :mod:`mtlbox.datasets.cityscapes_mtan`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mtlbox.datasets.cityscapes_mtan import CITYSCAPES_7_CLASSES
from mtlbox.datasets.layouts.mtan import encode_classes, encode_image, encode_range, in_split
from mtlbox.datasets.layouts.writing import Files
from mtlbox.tasks.base import Array

FULL_SCALE = np.float32(0.49)
"""The largest disparity."""
_NEAREST = np.float32(0.8)  # metres at which it is reached


def encode_room(room: Mapping[str, Array]) -> Files:
    """Turn a rendered room into the files of the layout.

    A room's 13 classes stand for the first 13 of the 19, and, modulo 7, for the categories: every number is legal,
    none means what the real data set means by it. Disparity is inverse depth, scaled such that 0.8 m and nearer is
    full scale.

    Args:
        room: As :func:`~mtlbox.datasets.rooms.render_room` gives it.
    """
    classes, size = room['semseg'], room['image'].shape[:2]
    categories = np.where(classes == 255, 255, classes % len(CITYSCAPES_7_CLASSES))
    disparity = FULL_SCALE * np.minimum(_NEAREST / np.maximum(room['depth'], 1e-6), 1)
    files = {
        'image/{index}': encode_image(room['image']),
        'label_19/{index}': encode_classes(classes, size),
        'label_7/{index}': encode_classes(categories, size),
        'depth/{index}': encode_range(np.where(room['depth'] > 0, disparity, 0), size),
    }
    return in_split(files)
