"""Writing Cityscapes' released layout, described where it is read, in :mod:`mtlbox.datasets.cityscapes`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mtlbox.datasets.cityscapes import SIZE, TRAIN_IDS
from mtlbox.datasets.layouts.writing import Files
from mtlbox.tasks.base import Array

NAME = '{split}/rooms/rooms_000000_{index:06d}'
"""Name of a replica's sample below the folder of a kind."""
CAMERA = {
    'extrinsic': {'baseline': 0.02, 'pitch': 0.0, 'roll': 0.0, 'x': 0.0, 'y': 0.0, 'yaw': 0.0, 'z': 1.5},
    'intrinsic': {'fx': 1704.0, 'fy': 1704.0, 'u0': (SIZE[1] - 1) / 2, 'v0': (SIZE[0] - 1) / 2},
}
"""The camera: about that of rooms, and a baseline at which their depths give disparities as those of streets."""

_LABEL_IDS = np.zeros(256, dtype=np.uint8)  # 0 is unlabelled
_LABEL_IDS[list(TRAIN_IDS.values())] = list(TRAIN_IDS)


def encode_disparity(depth: Array) -> Array:
    """Turn metres ``(H, W)``, 0 unknown, into 256 d + 1 and 0, uint16, as the release has it."""
    scale = CAMERA['extrinsic']['baseline'] * CAMERA['intrinsic']['fx'] * 256
    stored = np.rint(scale / np.maximum(depth, 1e-6)) + 1
    return np.where(depth > 0, np.clip(stored, 1, 65535), 0).astype(np.uint16)


def encode_room(room: Mapping[str, Array]) -> Files:
    """Turn a rendered room into the files of the layout; its 13 classes stand for the first 13 of the 19."""
    return {
        f'leftImg8bit/{NAME}_leftImg8bit.png': room['image'],
        f'gtFine/{NAME}_gtFine_labelIds.png': _LABEL_IDS[room['semseg']],
        f'disparity/{NAME}_disparity.png': encode_disparity(room['depth']),
        f'camera/{NAME}_camera.json': CAMERA,
    }
