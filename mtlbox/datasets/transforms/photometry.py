"""Transforms that change colours only."""

from __future__ import annotations

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mtlbox.datasets.transforms.geometry import Sample
from mtlbox.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PhotometricDistortion(BaseTransform):
    """Change brightness, contrast, saturation and hue at random, each in half of the cases.

    Contrast changes before or after saturation and hue, at random, as in mmsegmentation's transform of this name, whose
    hue is counted in steps of two degrees.

    Args:
        brightness: Largest shift, in 0..255.
        contrast: Largest relative change.
        saturation: Largest relative change.
        hue: Largest turn in degrees.
    """

    def __init__(
        self, *, brightness: float = 32, contrast: float = 0.5, saturation: float = 0.5, hue: float = 18
    ) -> None:
        self.brightness, self.contrast, self.saturation, self.hue = brightness, contrast, saturation, hue

    def transform(self, sample: Sample) -> Sample:
        """Draw what to change and change it; the type of the image stays."""
        rng, image = sample['rng'], sample['img']
        pixels = image.astype(np.float32)
        if rng.random() < 0.5:
            pixels = pixels + np.float32(rng.uniform(-self.brightness, self.brightness))
        contrast = rng.uniform(1 - self.contrast, 1 + self.contrast) if rng.random() < 0.5 else None
        early = rng.random() < 0.5
        if contrast is not None and early:
            pixels = pixels * np.float32(contrast)
        shift_saturation, shift_hue = rng.random(2) < 0.5
        if shift_saturation or shift_hue:
            hsv = cv2.cvtColor(np.clip(pixels, 0, 255) / 255, cv2.COLOR_RGB2HSV)
            if shift_saturation:
                factor = rng.uniform(1 - self.saturation, 1 + self.saturation)
                hsv[..., 1] = np.clip(hsv[..., 1] * np.float32(factor), 0, 1)
            if shift_hue:
                hsv[..., 0] = (hsv[..., 0] + np.float32(rng.uniform(-self.hue, self.hue))) % 360
            pixels = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255
        if contrast is not None and not early:
            pixels = pixels * np.float32(contrast)
        pixels = np.clip(pixels, 0, 255)
        sample['img'] = np.round(pixels).astype(np.uint8) if image.dtype == np.uint8 else pixels
        return sample
