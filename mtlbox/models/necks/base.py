"""The base of all necks: between shared features and the heads, where task interaction lives."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence

from mmengine.model import BaseModule
from torch import Tensor

from mtlbox.structures import MTLDataSample, NeckOutput
from mtlbox.tasks import Task


class TaskNeck(BaseModule):
    """Turns shared features into one map per task.

    Args:
        tasks: The model's tasks by key; given by the model.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(self, *, tasks: Mapping[str, Task], init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.tasks = dict(tasks)

    @abstractmethod
    def forward(self, features: Sequence[Tensor], data_samples: list[MTLDataSample] | None = None) -> NeckOutput:
        """Return the features of each task.

        Args:
            features: The backbone's maps ``(B, C_i, H_i, W_i)``, finest first.
            data_samples: The batch's samples, for necks whose own losses need labels; None outside training.
        """
