"""Convolutional heads."""

from __future__ import annotations

from collections.abc import Sequence

from mmcv.cnn import ConvModule
from mmengine.model import normal_init
from torch import Tensor, nn
from torch.nn import functional as F

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
        bias: Whether the first convolution has a bias, which its norm takes away again.
        upsample: Factor by which the logits are enlarged, bilinearly with corners aligned (MTFormer: 2).
        norm_cfg: Norm layer.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(
        self,
        *,
        task: Task,
        losses: Sequence[nn.Module],
        in_channels: int,
        bias: bool = True,
        upsample: int = 1,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(task=task, losses=losses, init_cfg=init_cfg)
        self.upsample = upsample
        self.fuse = conv_norm_relu(nn.Conv2d(in_channels, in_channels, 1, bias=bias), norm_cfg)
        self.predictor = nn.Conv2d(in_channels, task.channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, h, w)`` to ``(B, K, h, w)``, times ``upsample``."""
        return _enlarge(self.predictor(self.fuse(features)), self.upsample)


def _enlarge(x: Tensor, factor: int) -> Tensor:
    if factor == 1:
        return x
    return F.interpolate(x, scale_factor=float(factor), mode='bilinear', align_corners=True)


@HEADS.register_module()
class NarrowingHead(TaskHead):
    """1x1 convolutions to ever fewer channels, with an enlargement after the first: MTFormer's head of depth.

    There is no norm, and a ReLU after the last convolution unless ``positive`` is off: for tasks whose values are
    not negative. Before it the bias starts as 1: from the released code's start near 0, on which side of it being left
    to chance, a head that begins below never gets a gradient. Bilinear with corners aligned, as in MTFormer's others.

    Args:
        task: The task; given by the model.
        losses: The task's losses; given by the model.
        in_channels: Channels of the features.
        mid_channels: Channels after the first and the second convolution.
        upsample: Factor of the enlargement.
        positive: Whether a ReLU comes last.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(
        self,
        *,
        task: Task,
        losses: Sequence[nn.Module],
        in_channels: int,
        mid_channels: tuple[int, int] = (128, 32),
        upsample: int = 2,
        positive: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(task=task, losses=losses, init_cfg=init_cfg)
        self.upsample, self.positive = upsample, positive
        self.enter = nn.Conv2d(in_channels, mid_channels[0], 1)
        self.narrow = nn.Conv2d(mid_channels[0], mid_channels[1], 1)
        self.predictor = nn.Conv2d(mid_channels[1], task.channels, 1)
        if positive and self.predictor.bias is not None:
            nn.init.ones_(self.predictor.bias)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, C, h, w)`` to ``(B, K, h, w)``, times ``upsample``."""
        x = F.relu(self.narrow(_enlarge(self.enter(features), self.upsample)))
        x = self.predictor(x)
        return F.relu(x) if self.positive else x


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
