"""Transforms that change colours only."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mtlbox.datasets.transforms.checks import check_number
from mtlbox.datasets.transforms.geometry import Sample
from mtlbox.registry import TRANSFORMS
from mtlbox.tasks.base import Array


@TRANSFORMS.register_module()
class PhotometricDistortion(BaseTransform):
    """Change brightness, contrast, saturation and hue at random, each in half of the cases.

    Contrast changes before or after saturation and hue, at random. The steps, each clipped to the range of colours, and
    the defaults are those of mmsegmentation's ``PhotoMetricDistortion``, which counts the hue in OpenCV's steps of two
    degrees, 18 of them. Other than there, the hue turns by any angle, not by whole steps, and values are rounded once
    at the end, not cut off after each step.

    Args:
        brightness: Largest shift, in 0..255.
        contrast: Largest relative change, in 0..1.
        saturation: Largest relative change, in 0..1.
        hue: Largest turn in degrees, in 0..180.

    Raises:
        ValueError: One of them is out of range.
    """

    def __init__(
        self, *, brightness: float = 32, contrast: float = 0.5, saturation: float = 0.5, hue: float = 36
    ) -> None:
        self.brightness = check_number('brightness', brightness, 0, 255)
        self.contrast = check_number('contrast', contrast, 0, 1)
        self.saturation = check_number('saturation', saturation, 0, 1)
        self.hue = check_number('hue', hue, 0, 180)

    def transform(self, sample: Sample) -> Sample:
        """Draw what to change and change it; the type of the image stays."""
        rng, image = sample['rng'], sample['img']
        shift = np.float32(rng.uniform(-self.brightness, self.brightness) if rng.random() < 0.5 else 0)
        contrast = np.float32(rng.uniform(1 - self.contrast, 1 + self.contrast) if rng.random() < 0.5 else 1)
        early = rng.random() < 0.5
        shift_saturation, shift_hue = rng.random(2) < 0.5

        def brighten(values: Array, factor: np.float32) -> Array:
            return np.clip(np.clip(values + shift, 0, 255) * factor, 0, 255)

        if not (shift_saturation or shift_hue):
            sample['img'] = _each(image, lambda x: _as(brighten(x, contrast), image.dtype))
            return sample
        first, last = (contrast, np.float32(1)) if early else (np.float32(1), contrast)
        hsv = cv2.cvtColor(_each(image, lambda x: brighten(x, first) / 255), cv2.COLOR_RGB2HSV)
        if shift_saturation:
            factor = np.float32(rng.uniform(1 - self.saturation, 1 + self.saturation))
            hsv[..., 1] = np.clip(hsv[..., 1] * factor, 0, 1)
        if shift_hue:
            turned = hsv[..., 0] + np.float32(rng.uniform(-self.hue, self.hue))
            hsv[..., 0] = turned - 360 * np.floor(turned / 360)  # a tenth of the time of NumPy's %
        pixels = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, dst=hsv)
        if image.dtype == np.uint8:
            sample['img'] = cv2.convertScaleAbs(pixels, alpha=255 * float(last))  # rounds and clips
        else:
            sample['img'] = np.clip(pixels * (255 * last), 0, 255)
        return sample


def _each(image: Array, change: Callable[[Array], Array]) -> Array:
    """Return ``change`` of each value of an image; of uint8, only the 256 possible ones are computed."""
    if image.dtype != np.uint8:
        return change(image)
    return cv2.LUT(image, change(np.arange(256, dtype=np.float32)))


def _as(values: Array, dtype: np.dtype) -> Array:
    return np.round(values).astype(np.uint8) if dtype == np.uint8 else values
