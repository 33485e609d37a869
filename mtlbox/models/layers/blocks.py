"""The convolution blocks that decoders are made of."""

from __future__ import annotations

from mmcv.cnn import ConvModule, build_norm_layer
from torch import Tensor, nn


def conv_norm_relu(conv: nn.Conv2d | nn.ConvTranspose2d, norm_cfg: dict | None = None) -> nn.Sequential:
    """Return convolution, norm and ReLU; the convolution keeps its bias, as some papers' code has it.

    mmcv's ``ConvModule`` warns at each bias before a norm, which is right of it but not of the published sizes.
    """
    return nn.Sequential(
        conv, build_norm_layer(norm_cfg or {'type': 'BN'}, conv.out_channels)[1], nn.ReLU(inplace=True)
    )


class Bottleneck(nn.Module):
    """ResNet's bottleneck at stride 1: 1x1, 3x3, 1x1 convolutions, each with norm, around a shortcut.

    The shortcut is a 1x1 convolution with norm where the channels change, else the identity.
    He et al., Deep Residual Learning for Image Recognition, CVPR 2016, Figure 5.

    Args:
        in_channels: Channels of the input.
        mid_channels: Channels of the 3x3 convolution.
        out_channels: Channels of the output.
        norm_cfg: Norm layer.
    """

    def __init__(self, *, in_channels: int, mid_channels: int, out_channels: int, norm_cfg: dict | None = None) -> None:
        super().__init__()
        norm_cfg = norm_cfg or {'type': 'BN'}
        self.reduce = ConvModule(in_channels, mid_channels, 1, norm_cfg=norm_cfg)
        self.conv = ConvModule(mid_channels, mid_channels, 3, padding=1, norm_cfg=norm_cfg)
        self.expand = ConvModule(mid_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=None)
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else ConvModule(in_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=None)
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to ``(B, out_channels, H, W)``."""
        return self.relu(self.expand(self.conv(self.reduce(x))) + self.shortcut(x))


class BasicBlock(nn.Module):
    """ResNet's basic block at stride 1: two 3x3 convolutions, each with norm, around a shortcut.

    The shortcut is a 1x1 convolution with norm where the channels change, else the identity.
    He et al., Deep Residual Learning for Image Recognition, CVPR 2016, Figure 5.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        norm_cfg: Norm layer.
    """

    def __init__(self, *, in_channels: int, out_channels: int, norm_cfg: dict | None = None) -> None:
        super().__init__()
        norm_cfg = norm_cfg or {'type': 'BN'}
        self.conv1 = ConvModule(in_channels, out_channels, 3, padding=1, norm_cfg=norm_cfg)
        self.conv2 = ConvModule(out_channels, out_channels, 3, padding=1, norm_cfg=norm_cfg, act_cfg=None)
        self.shortcut = (
            nn.Identity()
            if in_channels == out_channels
            else ConvModule(in_channels, out_channels, 1, norm_cfg=norm_cfg, act_cfg=None)
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, in_channels, H, W)`` to ``(B, out_channels, H, W)``."""
        return self.relu(self.conv2(self.conv1(x)) + self.shortcut(x))


def bottlenecks(
    *, in_channels: int, mid_channels: int, out_channels: int, num_blocks: int, norm_cfg: dict | None = None
) -> nn.Sequential:
    """Return ``num_blocks`` bottlenecks in a row, the first of which changes the channels."""
    return nn.Sequential(
        *(
            Bottleneck(
                in_channels=out_channels if i else in_channels,
                mid_channels=mid_channels,
                out_channels=out_channels,
                norm_cfg=norm_cfg,
            )
            for i in range(num_blocks)
        )
    )
