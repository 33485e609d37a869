"""Writing the three layouts of NYUD; they are described where they are read, in :mod:`mtlbox.datasets.nyud`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mtlbox.datasets.layouts.encode import numbers_of_classes, picture_of_binary, picture_of_unit
from mtlbox.datasets.layouts.writing import Files
from mtlbox.datasets.nyud import NYUD_40_CLASSES
from mtlbox.datasets.rooms import CLASSES
from mtlbox.tasks.base import Array

NAME = '{split}_{index:04d}'
"""Name of a replica's sample."""
SIZES = {'nyud-a': (425, 560), 'nyud-b': (480, 640), 'nyud-c': (425, 560)}
"""(H, W) of the replicas; that of the first archive is not known."""

_OF_ROOMS = {'furniture': 'cabinet', 'objects': 'other prop', 'tv': 'television'}  # the other names are the same
_CLASSES = np.full(256, 255, dtype=np.uint8)
_CLASSES[: len(CLASSES)] = [NYUD_40_CLASSES.index(_OF_ROOMS.get(name, name)) for name in CLASSES]


def encode(image: Array, semseg: Array, depth: Array, normals: Array, boundary: Array, *, name: str = NAME) -> Files:
    """Turn a sample into the files of the layout nyud-c.

    Args:
        image: ``(H, W, 3)`` RGB uint8.
        semseg: ``(H, W)``, 0..39 and 255.
        depth: ``(H, W)`` metres, 0 unknown.
        normals: ``(H, W, 3)``, zero vector unknown.
        boundary: ``(H, W)``, 0 and 1.
        name: Name of the sample, which may hold fields.
    """
    return {
        f'images/{name}.png': image,
        f'segmentation/{name}.png': numbers_of_classes(semseg),
        f'depth/{name}.npy': depth.astype(np.float32),
        f'normals/{name}.png': picture_of_unit(normals),
        f'edge/{name}.png': picture_of_binary(boundary),
    }


def _encode_a(room: Mapping[str, Array]) -> Files:
    return {
        f'images/{NAME}.jpg': room['image'],
        f'segmentation/{NAME}.mat': {'segmentation': numbers_of_classes(_CLASSES[room['semseg']])},
        f'depth/{NAME}.mat': {'depth': room['depth'].astype(np.float32)},
        f'normals/{NAME}.jpg': picture_of_unit(room['normals']),
        f'edge/{NAME}.png': picture_of_binary(room['boundary']),
    }


def _encode_b(room: Mapping[str, Array]) -> Files:
    return {
        f'images/{NAME}.jpg': room['image'],
        f'segmentation/{NAME}.png': numbers_of_classes(_CLASSES[room['semseg']]),
        f'depth/{NAME}.npy': room['depth'].astype(np.float32),
        f'normals/{NAME}.npy': room['normals'].astype(np.float32),
        f'edge/{NAME}.npy': room['boundary'].astype(np.float32),
    }


def _encode_c(room: Mapping[str, Array]) -> Files:
    return encode(room['image'], _CLASSES[room['semseg']], room['depth'], room['normals'], room['boundary'])


ENCODERS = {'nyud-a': _encode_a, 'nyud-b': _encode_b, 'nyud-c': _encode_c}
"""By layout: turns a rendered room into its files."""
