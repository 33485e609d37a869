"""Salient object detection."""

from __future__ import annotations

from mtlbox.registry import TASKS
from mtlbox.tasks.binary import BinaryTask


@TASKS.register_module()
class Saliency(BinaryTask):
    """Saliency: 1 on the object that draws the eye, else 0.

    Args:
        key: The task's key.
        channels: 1 (sigmoid; the survey's and ASTMT's networks) or 2 (softmax; ATRC, InvPT).
    """

    primary_score = 'maxF'

    def __init__(self, *, key: str = 'saliency', channels: int = 1) -> None:
        super().__init__(key=key, channels=channels)
