"""Convolutional heads."""

from __future__ import annotations

from collections.abc import Sequence

from mmcv.cnn import ConvModule
from mmengine.model import normal_init
from torch import Tensor, nn

from mtlbox.models.heads.base import TaskHead
from mtlbox.models.layers.blocks import bottlenecks, conv_norm_relu
from mtlbox.registry import HEADS
from mtlbox.tasks import Task


@HEADS.register_module()
class HighResolutionHead(TaskHead):
    """Two 1x1 convolutions with norm and ReLU between: HRNet's head, as in CTAL's STL and MTL baselines.

    Args:
        task: The task; given by the model.
        losses: The task's losses; given by the model.
        in_channels: Channels of the features.
        norm_cfg: Norm layer.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(
        self,
        *,
        task: Task,
        losses: Sequence[nn.Module],
        in_channels: int,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(task=task, losses=losses, init_cfg=init_cfg)
        self.fuse = conv_norm_relu(nn.Conv2d(in_channels, in_channels, 1), norm_cfg)
        self.predictor = nn.Conv2d(in_channels, task.channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, h, w)`` to ``(B, K, h, w)``."""
        return self.predictor(self.fuse(features))


@HEADS.register_module()
class FCNHead(TaskHead):
    """A 3x3 convolution with norm and ReLU, and a 1x1 convolution: ATRC's head, of its STL and MTL baselines.

    The 1x1 convolution starts from N(0, 0.01) and zero bias.

    Args:
        task: The task; given by the model.
        losses: The task's losses; given by the model.
        in_channels: Channels of the features.
        mid_channels: Channels after the 3x3 convolution; a quarter of ``in_channels`` where not given.
        norm_cfg: Norm layer.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(
        self,
        *,
        task: Task,
        losses: Sequence[nn.Module],
        in_channels: int,
        mid_channels: int | None = None,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(task=task, losses=losses, init_cfg=init_cfg)
        mid_channels = mid_channels or in_channels // 4
        self.reduce = ConvModule(in_channels, mid_channels, 3, padding=1, norm_cfg=norm_cfg or {'type': 'BN'})
        self.predictor = nn.Conv2d(mid_channels, task.channels, 1)
        normal_init(self.predictor, std=0.01)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, h, w)`` to ``(B, K, h, w)``."""
        return self.predictor(self.reduce(features))


@HEADS.register_module()
class BottleneckHead(TaskHead):
    """ResNet bottlenecks and a 1x1 convolution: the head of PAD-Net and CTAL.

    Args:
        task: The task; given by the model.
        losses: The task's losses; given by the model.
        in_channels: Channels of the features.
        mid_channels: Channels inside the bottlenecks.
        out_channels: Channels after them; ``in_channels`` where not given.
        num_blocks: How many bottlenecks.
        norm_cfg: Norm layer.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(
        self,
        *,
        task: Task,
        losses: Sequence[nn.Module],
        in_channels: int,
        mid_channels: int,
        out_channels: int | None = None,
        num_blocks: int = 2,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(task=task, losses=losses, init_cfg=init_cfg)
        out_channels = out_channels or in_channels
        self.blocks = bottlenecks(
            in_channels=in_channels,
            mid_channels=mid_channels,
            out_channels=out_channels,
            num_blocks=num_blocks,
            norm_cfg=norm_cfg,
        )
        self.predictor = nn.Conv2d(out_channels, task.channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, h, w)`` to ``(B, K, h, w)``."""
        return self.predictor(self.blocks(features))
