"""PAD-Net.

D. Xu, W. Ouyang, X. Wang, N. Sebe: PAD-Net: Multi-Tasks Guided Prediction-and-Distillation Network for Simultaneous
Depth Estimation and Scene Parsing, CVPR 2018. Nothing official is public; this follows the re-implementation that
CTAL's authors compare with, https://github.com/Armanfard-Lab/CTAL, whose published size it reproduces.

As there, and unlike the paper: the messages are computed from the initial features, not from the predictions, and
every task whose labels the model has both sends and receives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from mtlbox.models.layers import MessagePassing
from mtlbox.models.necks.initial import InitialPredictionNeck
from mtlbox.registry import NECKS
from mtlbox.structures import MTLDataSample, NeckOutput
from mtlbox.tasks import Task


@NECKS.register_module()
class PADNet(InitialPredictionNeck):
    """PAD-Net at one scale: initial predictions, then a gated message for each ordered pair of tasks.

    Args:
        tasks: The model's tasks by key; given by the model.
        in_channels: Channels of the backbone's maps, finest first.
        initial_channels: Channels of the initial task features, and of what the heads read.
        initial_mid_channels: Channels inside the initial heads' bottlenecks.
        fuse: Whether the backbone's maps are mixed before them, as of ``InitialPredictionNeck``.
        with_cp: Recompute the activations of initial heads and messages in the backward pass instead of keeping them.
        norm_cfg: Norm layer.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task],
        in_channels: Sequence[int],
        initial_channels: int = 256,
        initial_mid_channels: int = 64,
        fuse: bool = True,
        with_cp: bool = False,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            tasks=tasks,
            in_channels=in_channels,
            initial_channels=initial_channels,
            initial_mid_channels=initial_mid_channels,
            fuse=fuse,
            with_cp=with_cp,
            norm_cfg=norm_cfg,
            init_cfg=init_cfg,
        )
        self.distillation = MessagePassing(tasks=tuple(tasks), channels=initial_channels, with_cp=with_cp)

    def forward(self, features: Sequence[Tensor], data_samples: list[MTLDataSample] | None = None) -> NeckOutput:
        """Maps, finest first, to one ``(B, initial_channels, H, W)`` per task, and the initial predictions."""
        initial, auxiliaries = self.initial(features)
        return NeckOutput(features=self.distillation(initial), auxiliaries=auxiliaries)
