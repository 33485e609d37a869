"""What MTAN's layouts store alike; what they look like is described where they are read, in :mod:`mtlbox.datasets`."""

from __future__ import annotations

import numpy as np

from mtlbox.datasets.layouts.writing import Files
from mtlbox.tasks.base import Array


def encode_image(image: Array) -> Array:
    """Turn an image ``(H, W, 3)``, uint8 or float32 in 0..255, into float32 in 0..1."""
    return image.astype(np.float32) / np.float32(255)


def encode_classes(classes: Array | None, size: tuple[int, int]) -> Array:
    """Turn classes and 255 ``(H, W)``, or None for a missing label, into classes and -1."""
    if classes is None:
        return np.full(size, -1, dtype=np.int8)
    return np.where(classes == 255, -1, classes.astype(np.int16)).astype(np.int8)


def encode_range(values: Array | None, size: tuple[int, int]) -> Array:
    """Turn depths or disparities ``(H, W)``, or None for a missing label, into float32 ``(H, W, 1)``."""
    return (np.zeros(size) if values is None else values).astype(np.float32)[..., None]


def in_split(files: Files) -> Files:
    """Move files that are relative to the folder of their split below the root."""
    return {f'{{split}}/{path}': content for path, content in files.items()}
