"""Single-task learning: one full network per task, side by side in one model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

from mtlbox.models.base import BaseMultiTaskModel
from mtlbox.models.multi_task_model import MultiTaskModel, select_by_task
from mtlbox.registry import MODELS
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import Task


@MODELS.register_module()
class STL(BaseMultiTaskModel):
    """Single-task learning: a network of its own for each task, so that one run yields all baselines of delta_m.

    The networks share nothing, and ``clip_grad`` clips the gradients of each alone: with an optimiser that treats
    parameters one by one (SGD, Adam) training them together equals training them apart. There are two exceptions:
    in float16 (``--amp float16``) one loss scale serves all networks, so that a step which overflows in one of them is
    left out in all; and DeepSpeed, which clips by itself, does so over all networks at once.

    Args:
        tasks: The tasks by key, built or as configs.
        backbone: Config of the backbone; each task gets a copy.
        heads: Config of the heads: one for all tasks, or one by task key.
        losses: Config of the losses by task key.
        neck: Config of the neck; each task gets a copy that serves this task alone.
        weighting: How the tasks' losses become one.
        data_preprocessor: The preprocessor.
        skip_unlabelled: Leave networks out whose task no image of a batch has a label for, see ``BaseMultiTaskModel``.
        channels_last: Lay weights and images out as NHWC, see ``BaseMultiTaskModel``.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task | Mapping],
        backbone: Mapping,
        heads: Mapping[str, Any],
        losses: Mapping[str, Any],
        neck: Mapping | None = None,
        weighting: Mapping | nn.Module | None = None,
        data_preprocessor: Mapping | nn.Module | None = None,
        skip_unlabelled: bool = False,
        channels_last: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            tasks=tasks,
            weighting=weighting,
            data_preprocessor=data_preprocessor,
            skip_unlabelled=skip_unlabelled,
            channels_last=channels_last,
            init_cfg=init_cfg,
        )
        heads = select_by_task(heads, self.tasks, 'heads')
        losses = select_by_task(losses, self.tasks, 'losses')
        self.networks = nn.ModuleDict(
            {
                key: MultiTaskModel(
                    tasks={key: task},
                    backbone=backbone,
                    neck=neck,
                    heads={key: heads[key]},
                    losses={key: losses[key]},
                    data_preprocessor=self.data_preprocessor,
                )
                for key, task in self.tasks.items()
            }
        )
        self.lay_out()

    def trained_apart(self) -> list[nn.Module]:
        """Return the networks."""
        return list(self.networks.values())

    def logits(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return ``{task: logits (B, K, h, w)}``."""
        return self._merged(self.tasks, 'logits', inputs)

    def loss(self, inputs: Tensor, data_samples: list[MTLDataSample]) -> dict[str, Tensor]:
        """Return the losses of the networks that take part; a neck's own are named ``neck/{task}_{...}``."""
        return self._merged(self.supervised(data_samples), 'loss', inputs, data_samples)

    def predict(self, inputs: Tensor, data_samples: list[MTLDataSample]) -> dict[str, list[Tensor]]:
        """Return the predictions of all networks."""
        return self._merged(self.tasks, 'predict', inputs, data_samples)

    def _merged(self, keys: Iterable[str], method: str, *args: Any) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for key in keys:
            for name, value in getattr(self.networks[key], method)(*args).items():
                part, _, loss = name.partition('/')
                merged[f'neck/{key}_{loss}' if part == 'neck' and loss else name] = value
        return merged
