"""Surface normals."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from torch import Tensor
from torch.nn import functional as F

from mtlbox.registry import TASKS
from mtlbox.tasks.base import Array, Task, Window
from mtlbox.tasks.palette import Palette

_NONE = 0.1  # length of what a picture's grey may decode to
_FOCAL = 519 / 640  # focal length in widths of the picture: that of NYU Depth v2's Kinect, near that of most cameras


@TASKS.register_module()
class Normals(Task):
    """Surface normals: unit vectors in camera axes (x right, y down, z forward); the zero vector is unknown.

    Args:
        key: The task's key.
    """

    channels = 3
    gt_channels = 3
    interpolation = cv2.INTER_LINEAR
    primary_score = 'mErr'
    flaw = 'not of unit length'
    higher_is_better = False

    def __init__(self, *, key: str = 'normals') -> None:
        super().__init__(key=key)

    def resample(self, array: Array, size: tuple[int, int]) -> Array:
        """Resample bilinearly and bring the vectors back to unit length."""
        return array if array.shape[:2] == tuple(size) else unit(super().resample(array, size))

    def resize_window(self, gt: Array, size: tuple[int, int], window: Window, zoom: float = 1.0) -> Array:
        """Resample all, and bring the vectors of the window back to unit length."""
        cut = self.crop(super().resample(gt, size), *window)
        return cut if gt.shape[:2] == tuple(size) else unit(cut)

    def hflip(self, gt: Array) -> Array:
        """Mirror the map, and x with it."""
        mirrored = super().hflip(gt)
        np.negative(mirrored[..., 0], out=mirrored[..., 0])
        return mirrored

    def rotate(self, gt: Array, degrees: float) -> Array:
        """Turn the map, and the vectors about the camera axis with it."""
        turned = unit(super().rotate(gt, degrees))
        angle = np.deg2rad(degrees)
        # counter-clockwise as seen, in axes whose y points down
        matrix = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        return cv2.transform(turned, matrix) if turned.dtype == np.float32 else (turned @ matrix.T).astype(turned.dtype)

    def check_values(self, gt: Array, where: str) -> None:
        """Raise ValueError on NaN, or on components beyond 1, which no unit vector has."""
        super().check_values(gt, where)
        largest = float(max(gt.max(), -gt.min()))
        if largest > 1.02:
            raise ValueError(
                f'{where}: the map of {self.key!r} has components up to {largest:g}, but normals are unit vectors. '
                'Pictures of normals must be decoded first, e.g. 2 * x / 255 - 1.'
            )

    def doubt(self, gt: Array, *, usual: tuple[float, float] | None = None, lossy: bool = False) -> str:
        """Say where the vectors are not of unit length, or point away from the camera, which then cannot see them.

        Of other lengths may be 1 % of them, of a lossy picture half of them; half may point away.
        """
        share, away, said = self.flawed(gt), share_away(gt), []
        if share > (0.5 if lossy else 0.01):
            said.append(f'{share:.0%} of the vectors are {self.flaw}')
        if away > 0.5:
            said.append(f'{away:.0%} of the vectors point away from the camera: are x right, y down and z forward?')
        return '; '.join(said)

    def flawed(self, gt: Array) -> float:
        """Return the share of vectors whose length is off 1 by more than 0.05; those near zero are none."""
        length = np.linalg.norm(gt, axis=-1)
        known = length[length > _NONE]
        return float((np.abs(known - 1) > 0.05).mean()) if known.size else 0.0

    def valid(self, gt: Tensor) -> Tensor:
        """A pixel is labelled where its vector is not zero; bool ``(B, H, W)``."""
        return (gt != 0).any(1)

    def decode(self, logits: Tensor) -> Tensor:
        """Bring the vectors to unit length, ``(B, 3, H, W)``."""
        return F.normalize(logits.float(), dim=1)

    def draw(self, prediction: Array, reference: Array | None = None, palette: Palette | None = None) -> Array:
        """Draw x, y, z from -1..1 as red, green, blue from 0..255; unknown is black."""
        colours = np.round((np.clip(prediction, -1, 1) + 1) * 127.5).astype(np.uint8)
        colours[~prediction.any(-1)] = 0
        return colours

    def constant(self, maps: Iterable[Array]) -> Array:
        """Return the mean direction ``(3,)``."""
        mean = super().constant(maps)
        return mean / max(float(np.linalg.norm(mean)), 1e-12)

    def to_uint16(self, prediction: Array) -> Array:
        """Components from -1..1 become 0..65535."""
        return super().to_uint16((prediction + 1) / 2)

    def from_integers(self, stored: Array) -> Array:
        """Components from 0 to full scale become -1..1."""
        return super().from_integers(stored) * 2 - 1


def unit(vectors: Array, shortest: float = 1e-6) -> Array:
    """Return vectors ``(H, W, 3)`` at unit length, those shorter than ``shortest`` as zero; a new array."""
    stored = np.ascontiguousarray(vectors, dtype=np.float32)
    length = cv2.sqrt(cv2.transform(cv2.multiply(stored, stored), _SUM))  # a tenth of the time of np.linalg.norm
    known = length >= shortest
    factor = np.divide(1, np.maximum(length, np.float32(shortest), out=length), out=length)
    factor *= known
    factors = cv2.merge((factor, factor, factor))
    return cv2.multiply(stored, factors, dst=factors).astype(vectors.dtype, copy=False)


def share_away(vectors: Array, focal: float = _FOCAL) -> float:
    """Return which share of the vectors ``(H, W, 3)`` points away from the camera along its pixel's ray.

    Args:
        vectors: In camera axes; those near zero are none.
        focal: Focal length of the camera in widths of the picture.
    """
    height, width = vectors.shape[:2]
    x, y = np.arange(width) - (width - 1) / 2, np.arange(height)[:, None] - (height - 1) / 2
    along = vectors[..., 0] * x + vectors[..., 1] * y + vectors[..., 2] * (focal * width)
    known = np.linalg.norm(vectors, axis=-1) > _NONE
    return float((along[known] > 0).mean()) if known.any() else 0.0


_SUM = np.ones((1, 3), dtype=np.float32)
