"""SoftGate: each task adds what the other tasks tell it, as far as its gate lets it in.

An example made for mtlbox, without a paper. With x_t the feature map of task t::

    out_t = x_t + sigmoid(gate_t(x_t)) * sum over s != t of message_s(x_s)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mtlbox.models.layers import concat_pyramid, conv_norm_relu
from mtlbox.models.necks import TaskNeck
from mtlbox.registry import NECKS
from mtlbox.structures import MTLDataSample, NeckOutput
from mtlbox.tasks import Task


@NECKS.register_module()
class SoftGate(TaskNeck):
    """Each task's features plus the gated messages of the others.

    Args:
        tasks: The model's tasks by key; given by the model.
        in_channels: Channels of the backbone's maps, finest first.
        channels: Channels C of each task's features; what the heads read.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task],
        in_channels: Sequence[int],
        channels: int = 64,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(tasks=tasks, init_cfg=init_cfg)
        fused = sum(in_channels)
        self.enter = nn.ModuleDict({key: conv_norm_relu(nn.Conv2d(fused, channels, 1)) for key in tasks})
        self.message = nn.ModuleDict({key: nn.Conv2d(channels, channels, 1) for key in tasks})
        self.gate = nn.ModuleDict({key: nn.Conv2d(channels, channels, 3, padding=1) for key in tasks})

    def forward(self, features: Sequence[Tensor], data_samples: list[MTLDataSample] | None = None) -> NeckOutput:
        """Four maps to one ``(B, C, H/4, W/4)`` per task."""
        shared = concat_pyramid(features)  # (B, sum of C_i, H/4, W/4)
        own = {key: self.enter[key](shared) for key in self.tasks}  # (B, C, H/4, W/4) each
        told = {key: self.message[key](x) for key, x in own.items()}
        everything = torch.stack(list(told.values())).sum(0)
        return NeckOutput(
            features={key: x + torch.sigmoid(self.gate[key](x)) * (everything - told[key]) for key, x in own.items()}
        )
