"""Writing SYNTHIA-RAND-CITYSCAPES' layout, described where it is read, in :mod:`mtlbox.datasets.synthia`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mtlbox.datasets.layouts.encode import hundredths, numbers_of_classes
from mtlbox.datasets.layouts.writing import Files
from mtlbox.tasks.base import Array


def fields(split: str, index: int) -> dict[str, Any]:
    """Return what the paths of a sample hold: the number of an image that belongs to the split."""
    return {'number': 10 * index + 9 if split == 'val' else 10 * (index // 9) + index % 9}


def encode_room(room: Mapping[str, Array]) -> Files:
    """Turn a rendered room into the files of the layout; its 13 classes stand for the first 13 of the 22."""
    labels = np.zeros((*room['semseg'].shape, 3), dtype=np.uint16)
    labels[..., 0] = numbers_of_classes(room['semseg'])
    return {
        'RGB/{number:07d}.png': room['image'],
        'Depth/{number:07d}.png': hundredths(room['depth']),
        'GT/LABELS/{number:07d}.png': labels,
    }
