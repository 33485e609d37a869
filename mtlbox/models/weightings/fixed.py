"""Fixed weights."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from mtlbox.models.weightings.base import Weighting, weight_per_task
from mtlbox.registry import WEIGHTINGS
from mtlbox.tasks import Task


@WEIGHTINGS.register_module()
class FixedWeighting(Weighting):
    """The weighted sum with weights that stay.

    Args:
        tasks: The model's tasks by key; given by the model.
        weights: Weight per task key; 1 for those that are not named.

    Raises:
        ValueError: A weight is given for something that is not a task, or is negative.
    """

    def __init__(self, *, tasks: Mapping[str, Task], weights: Mapping[str, float] | None = None) -> None:
        super().__init__(tasks=tasks)
        self.weights = weight_per_task(weights, tasks)

    def forward(self, losses: dict[str, Tensor], labelled: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return sum over tasks of weight times loss."""
        parts = [self.weights[key] * loss for key, loss in losses.items()]
        return sum(parts[1:], parts[0]), {}
