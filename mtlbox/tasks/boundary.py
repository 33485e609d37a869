"""Semantic boundary detection."""

from __future__ import annotations

from mtlbox.registry import TASKS
from mtlbox.tasks.binary import BinaryTask


@TASKS.register_module()
class Boundary(BinaryTask):
    """Boundaries between classes or objects: 1 on a boundary pixel, else 0.

    Args:
        key: The task's key.
    """

    primary_score = 'odsF'

    def __init__(self, *, key: str = 'boundary') -> None:
        super().__init__(key=key)
