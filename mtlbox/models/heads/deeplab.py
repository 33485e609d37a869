"""The head of DeepLab-v3, which the transformer half of CTAL and the CNN baselines of MTFormer have."""

from __future__ import annotations

from collections.abc import Sequence

from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mtlbox.models.heads.base import TaskHead
from mtlbox.models.layers.aspp import ASPP
from mtlbox.registry import HEADS
from mtlbox.tasks import Task


@HEADS.register_module()
class DeepLabHead(TaskHead):
    """ASPP, a 3x3 convolution with norm and ReLU, and a 1x1 convolution.

    Reads one map: of a backbone whose coarsest map is the only one that it returns, or of a neck.

    Args:
        task: The task; given by the model.
        losses: The task's losses; given by the model.
        in_channels: Channels of the features.
        channels: Channels after the ASPP and the 3x3 convolution.
        rates: Dilations of the ASPP.
        dropout: Share of the ASPP's values that are dropped in training.
        norm_cfg: Norm layer.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(
        self,
        *,
        task: Task,
        losses: Sequence[nn.Module],
        in_channels: int,
        channels: int = 256,
        rates: Sequence[int] = (12, 24, 36),
        dropout: float = 0.5,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(task=task, losses=losses, init_cfg=init_cfg)
        self.aspp = ASPP(in_channels=in_channels, channels=channels, rates=rates, dropout=dropout, norm_cfg=norm_cfg)
        self.conv = ConvModule(channels, channels, 3, padding=1, norm_cfg=norm_cfg or {'type': 'BN'})
        self.predictor = nn.Conv2d(channels, task.channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, h, w)`` to ``(B, K, h, w)``."""
        return self.predictor(self.conv(self.aspp(features)))
