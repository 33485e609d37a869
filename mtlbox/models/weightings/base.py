"""How the losses of several tasks become one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

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
