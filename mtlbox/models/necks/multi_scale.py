"""The base of necks that make an initial prediction per task at each of the backbone's scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from mtlbox.models.layers.checks import one_of
from mtlbox.models.layers.multi_scale import MultiScaleInitial
from mtlbox.models.necks.base import TaskNeck
from mtlbox.structures import Auxiliary
from mtlbox.tasks import Task


class MultiScaleNeck(TaskNeck):
    """Makes the tasks' initial features at each scale, and predictions of them that are supervised together.

    Args:
        tasks: The model's tasks by key; given by the model.
        in_channels: Channels of the backbone's maps, finest first.
        feature_propagation: Whether a scale reads the next coarser one's task features (MTI-Net's modules).
        initial_reduction: Whether the initial losses of the scales are averaged (``'mean'``: CTAL's code) or added
            (``'sum'``: the survey's code).
        with_cp: Recompute the activations of the initial heads and of what is propagated in the backward pass instead
            of keeping them.
        norm_cfg: Norm layer.
        init_cfg: Initialisation as in mmengine.

    Raises:
        ValueError: If ``initial_reduction`` is neither.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task],
        in_channels: Sequence[int],
        feature_propagation: bool = True,
        initial_reduction: str = 'mean',
        with_cp: bool = False,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(tasks=tasks, init_cfg=init_cfg)
        one_of('initial_reduction', initial_reduction, ('mean', 'sum'))
        self.with_cp = with_cp
        self.initial_weight = 1 / len(in_channels) if initial_reduction == 'mean' else 1.0
        self.multi_scale = MultiScaleInitial(
            outputs={key: task.channels for key, task in tasks.items()},
            in_channels=in_channels,
            feature_propagation=feature_propagation,
            with_cp=with_cp,
            norm_cfg=norm_cfg,
        )

    def initial(self, features: Sequence[Tensor]) -> tuple[list[dict[str, Tensor]], list[Auxiliary]]:
        """Return each task's features ``(B, C_i, H_i, W_i)`` per scale, finest first, and the predictions.

        The predictions are called ``initial_0`` (finest) and so on.

        Args:
            features: The backbone's maps ``(B, C_i, H_i, W_i)``, finest first.
        """
        scales, logits = self.multi_scale(features)
        auxiliaries = [
            Auxiliary(task=key, name=f'initial_{level}', logits=x, weight=self.initial_weight)
            for level, of_level in enumerate(logits)
            for key, x in of_level.items()
        ]
        return scales, auxiliaries
