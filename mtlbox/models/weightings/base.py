"""How the losses of several tasks become one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

from mtlbox.models.layers.checks import reject_unknown
from mtlbox.tasks import Task


class Weighting(nn.Module):
    """Turns one loss per task into the total.

    Args:
        tasks: The model's tasks by key; given by the model.
    """

    def __init__(self, *, tasks: Mapping[str, Task]) -> None:
        super().__init__()
        self.keys = tuple(tasks)

    @abstractmethod
    def forward(self, losses: dict[str, Tensor], labelled: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total and what is worth logging.

        Args:
            losses: The summed loss per task, scalars.
            labelled: Share of the batch (over all ranks) that has a label of the task, 0..1.
        """


def weight_per_task(weights: Mapping[str, float] | None, tasks: Mapping[str, Task]) -> dict[str, float]:
    """Return one weight per task: the given one, or 1.

    Raises:
        ValueError: A weight is given for something that is not a task, or is negative.
    """
    weights = dict(weights or {})
    reject_unknown(weights, tasks, 'weights')
    for key, weight in weights.items():
        if weight < 0:
            raise ValueError(f'The weight of {key!r} must not be negative, but is {weight}.')
    return {key: float(weights.get(key, 1.0)) for key in tasks}
