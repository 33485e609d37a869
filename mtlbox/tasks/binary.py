"""What saliency and boundaries share: a probability per pixel."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mtlbox.tasks.base import Array, Task
from mtlbox.tasks.palette import Palette


class BinaryTask(Task):
    """A task whose label is 0 or 1 per pixel (255 is ignored) and whose prediction is the probability of 1.

    Args:
        key: The task's key.
        channels: 1 for a logit that is read by a sigmoid, 2 for two that are read by a softmax.
    """

    ignore_value = 255
    kinds = 'iuf'
    likelihood = 'categorical'
    higher_is_better = True

    def __init__(self, *, key: str, channels: int = 1) -> None:
        super().__init__(key=key)
        if channels not in (1, 2):
            raise ValueError(f'channels of {key!r} must be 1 (sigmoid) or 2 (softmax), but is {channels}.')
        self.channels = channels

    def check_values(self, gt: Array, where: str) -> None:
        """Raise ValueError if a label is not 0, 1 or 255."""
        super().check_values(gt, where)
        legal = (gt == 0) | (gt == 1) | (gt == self.ignore_value)
        if not legal.all():
            raise ValueError(
                f'{where}: the map of {self.key!r} holds {np.unique(gt[~legal]).tolist()[:8]}, '
                'but only 0, 1 and 255 (ignored) are legal.'
            )

    def doubt(self, gt: Array, *, usual: tuple[float, float] | None = None, lossy: bool = False) -> str:
        """Say where nothing is 1 but something is 255, as in a picture of black and white that was not decoded."""
        if (gt == 1).any() or not (gt == self.ignore_value).any() or not (gt == 0).any():
            return ''
        return 'there are 0 and 255, which is ignored, and no 1: is 255 meant for 1?'

    def decode(self, logits: Tensor) -> Tensor:
        """Return the probability ``(B, 1, H, W)``."""
        if self.channels == 1:
            return torch.sigmoid(logits.float())
        return torch.softmax(logits.float(), dim=1)[:, 1:]

    def draw(self, prediction: Array, reference: Array | None = None, palette: Palette | None = None) -> Array:
        """Draw 0 as black and 1 as white; ignored is grey."""
        grey = np.where(prediction == self.ignore_value, 0.5, np.clip(prediction, 0, 1))
        return np.repeat((grey * 255).astype(np.uint8)[..., None], 3, axis=2)
