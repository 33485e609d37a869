"""Writing Virtual KITTI 2's layouts, described where they are read, in :mod:`mtlbox.datasets.vkitti2`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from mtlbox.datasets.layouts.encode import hundredths
from mtlbox.datasets.layouts.writing import Files
from mtlbox.datasets.vkitti2 import PALETTE, SCENES
from mtlbox.tasks.base import Array

_COLOURS = np.zeros((256, 3), dtype=np.uint8)
_COLOURS[: len(PALETTE)] = PALETTE


def fields(split: str, index: int) -> dict[str, Any]:
    """Return what the paths of a sample hold: the first scene of the split, as ``clone``, by the left camera."""
    return {'sequence': f'{SCENES[split][0]}/clone/frames', 'index': index}


def _encode(room: Mapping[str, Array], folder: str) -> Files:
    """Turn a room into files below a ``folder`` per archive; its 13 classes stand for the first 13 of the 14."""

    def file(archive: str, name: str) -> str:
        return f'{folder.format(archive)}{{sequence}}/{archive}/Camera_0/{name}'

    return {
        file('rgb', 'rgb_{index:05d}.jpg'): room['image'],
        file('depth', 'depth_{index:05d}.png'): hundredths(room['depth']),
        file('classSegmentation', 'classgt_{index:05d}.png'): _COLOURS[room['semseg']],
    }


ENCODERS: dict[str, Callable[[Mapping[str, Array]], Files]] = {
    'vkitti2-joint': partial(_encode, folder=''),
    'vkitti2-apart': partial(_encode, folder='vkitti_2.0.3_{}/'),
}
"""By layout: turns a rendered room into its files."""
