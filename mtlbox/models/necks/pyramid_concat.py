"""No interaction: the neck of hard parameter sharing."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from mtlbox.models.layers.resize import concat_pyramid
from mtlbox.models.necks.base import TaskNeck
from mtlbox.registry import NECKS
from mtlbox.structures import MTLDataSample, NeckOutput


@NECKS.register_module()
class PyramidConcat(TaskNeck):
    """All maps resampled to the finest and concatenated; every task reads the same (STL and MTL baselines).

    Args:
        tasks: The model's tasks by key; given by the model.
        init_cfg: Initialisation as in mmengine.
    """

    def forward(self, features: Sequence[Tensor], data_samples: list[MTLDataSample] | None = None) -> NeckOutput:
        """Four maps to ``(B, sum of C_i, H/4, W/4)``, the same for each task."""
        fused = concat_pyramid(features)
        return NeckOutput(features=dict.fromkeys(self.tasks, fused))
