"""The Concat baseline of CTAL's tables: the tasks' initial features, concatenated.

D. Sinodinos, N. Armanfard: Cross-Task Affinity Learning for Multitask Dense Scene Predictions, WACV 2025, Table 1.

An approximation: the released code does not have it, and the paper gives neither its size nor its resolution. Here the
features go to the final heads as they are, at 1/4.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtlbox.models.necks.initial import InitialPredictionNeck
from mtlbox.registry import NECKS
from mtlbox.structures import MTLDataSample, NeckOutput


@NECKS.register_module()
class InitialConcat(InitialPredictionNeck):
    """Initial predictions; every task's head then reads all tasks' initial features.

    Arguments are those of :class:`~mtlbox.models.necks.initial.InitialPredictionNeck`.
    """

    def forward(self, features: Sequence[Tensor], data_samples: list[MTLDataSample] | None = None) -> NeckOutput:
        """Four maps to ``(B, N * initial_channels, H/4, W/4)``, own features first, and predictions at 1/4."""
        initial, auxiliaries = self.initial(features)
        concatenated = {
            key: torch.cat([x, *(other for name, other in initial.items() if name != key)], dim=1)
            for key, x in initial.items()
        }
        return NeckOutput(features=concatenated, auxiliaries=auxiliaries)
