"""A pyramid of four maps from a plain transformer's last one.

Li et al., Exploring Plain Vision Transformer Backbones for Object Detection, ECCV 2022, section 3 ("simple feature
pyramid"). As in the segmentation of BEiT (Bao et al., ICLR 2022), all maps keep the transformer's width; the coarsest
is made by a 3x3 convolution of stride 2, not by pooling.
"""

from __future__ import annotations

from collections.abc import Mapping

from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from mtlbox.registry import BACKBONES


@BACKBONES.register_module()
class SimplePyramid(BaseModule):
    """The last map of a plain backbone, enlarged by 4 and by 2, as it is, and halved.

    Of a transformer with patches of 16 these are maps at 1/4, 1/8, 1/16 and 1/32.

    Args:
        backbone: Config of the plain backbone; the last map that it returns is read.
        in_channels: Channels C of that map, and of all that are returned.
        norm_cfg: Norm layer between the two enlargements.
        init_cfg: Initialisation as in mmengine; that of the plain backbone is its own.
    """

    def __init__(
        self, *, backbone: Mapping, in_channels: int, norm_cfg: dict | None = None, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.backbone = BACKBONES.build(dict(backbone))
        norm = build_norm_layer(norm_cfg or {'type': 'BN'}, in_channels)[1]
        self.by_four = nn.Sequential(_doubled(in_channels), norm, nn.GELU(), _doubled(in_channels))
        self.by_two = _doubled(in_channels)
        self.halved = nn.Conv2d(in_channels, in_channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Images to ``(B, C, 4 H, 4 W)``, ``(B, C, 2 H, 2 W)``, ``(B, C, H, W)``, ``(B, C, ceil(H/2), ceil(W/2))``.

        (H, W) is the size of the plain backbone's map.
        """
        last = self.backbone(x)[-1]
        return self.by_four(last), self.by_two(last), last, self.halved(last)


def _doubled(channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels, channels, 2, stride=2)
