"""Normals that somebody else has computed, in the place of ours, for the converter of the official NYU file.

A folder holds one file per image, named by its official number with or without leading zeros (``7``, ``0007``):

- ``.npy``: ``(H, W, 3)`` floats, unit vectors; a zero vector is unknown;
- ``.png``: components -1..1 as 0..255, 8 bits; grey (127, 127, 127) is unknown.

(H, W) is that of the official images, 480x640, or where only a window of them is kept, that of the window. Which
channel is right, down and forward is said by ``axes``; wrong axes are seen by where the vectors point, and refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtlbox.datasets import npy
from mtlbox.datasets.decode import require_floats
from mtlbox.datasets.image_file import read_image
from mtlbox.datasets.layouts.nyu_pictures import Axes, oriented
from mtlbox.datasets.messages import some
from mtlbox.tasks.base import Array

AXES = 'R,G,B'
"""Axes of the camera in their order: the channels are right, down and forward."""
_SUFFIXES = ('.npy', '.png')


@dataclass(frozen=True)
class GivenNormals:
    """A folder of normals.

    Attributes:
        folder: The folder.
        axes: Which channels are right, down and forward.
    """

    folder: Path
    axes: Axes

    def require(self, numbers: Iterable[int]) -> None:
        """Raise FileNotFoundError where the folder, or the file of one of the images ``numbers``, is not there."""
        missing = [str(number) for number in numbers if self.find(number) is None]
        if missing:
            raise FileNotFoundError(
                f'{self.folder} has no normals of the images {some(missing)}: a file 0007.npy or 0007.png (or 7.npy, '
                '7.png) is expected for the image 7.'
            )

    def find(self, number: int) -> Path | None:
        """Return the file of an image; None where there is none."""
        names = [f'{stem}{suffix}' for stem in (f'{number:04d}', str(number)) for suffix in _SUFFIXES]
        return next((self.folder / name for name in names if (self.folder / name).is_file()), None)

    def read(self, number: int) -> Array:
        """Return the unit vectors ``(H, W, 3)`` of an image in camera axes.

        Raises:
            ValueError: The file holds something else, or the axes are wrong.
        """
        self.require([number])
        path = self.find(number) or self.folder
        if path.suffix == '.png':
            components = read_image(path).astype(np.float32) * np.float32(2 / 255) - 1
        else:
            components = npy.load(path)
            require_floats(components, str(path), 'unit vectors')
            if components.ndim != 3 or components.shape[2] != 3:
                raise ValueError(f'{path}: vectors (H, W, 3) are expected, but the shape is {components.shape}.')
            if not np.abs(components).max() <= 1.02:  # NaN as well
                raise ValueError(f'{path}: unit vectors are expected, but a component is {np.abs(components).max():g}.')
        return oriented(components.astype(np.float32), self.axes, path)
