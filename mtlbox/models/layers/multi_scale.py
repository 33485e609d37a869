"""Task features at several scales: MTI-Net's initial heads, its feature propagation, and the fusion over scales.

Vandenhende, Georgoulis, Van Gool: MTI-Net: Multi-Scale Task Interaction Networks for Multi-Task Learning, ECCV 2020,
sections 3.2 to 3.4; https://github.com/SimonVandenhende/Multi-Task-Learning-PyTorch
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from mtlbox.models.layers.blocks import BasicBlock, conv_norm_relu
from mtlbox.models.layers.recompute import recompute
from mtlbox.models.layers.resize import concat_pyramid, resize


class SqueezeExcite(nn.Module):
    """Scales channels by a gate of their means (Hu et al., CVPR 2018); two linear maps without bias.

    Args:
        channels: Channels of the features.
        reduction: The gate's inner width is ``channels // reduction``, at least 1.
    """

    def __init__(self, *, channels: int, reduction: int = 16) -> None:
        super().__init__()
        inner = max(1, channels // reduction)
        self.gate = nn.Sequential(
            nn.Linear(channels, inner, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(inner, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, channels, H, W)`` to the same shape."""
        return x * self.gate(x.mean((2, 3)))[..., None, None]


class FeaturePropagation(nn.Module):
    """MTI-Net's feature propagation module: what all tasks know at one scale, for each task at the next finer one.

    All tasks' features, gated by a softmax over the tasks, become one shared map; each task adds what its own
    squeeze-and-excitation takes from it.

    Args:
        tasks: Task keys.
        channels: Channels C of every task's features.
        with_cp: Recompute the activations of the shared map in the backward pass instead of keeping them.
        norm_cfg: Norm layer.
    """

    def __init__(
        self, *, tasks: Sequence[str], channels: int, with_cp: bool = False, norm_cfg: dict | None = None
    ) -> None:
        super().__init__()
        self.with_cp = with_cp
        joint = len(tasks) * channels
        inner = joint // 4
        self.gate = nn.Sequential(
            BasicBlock(in_channels=joint, out_channels=inner, norm_cfg=norm_cfg),
            BasicBlock(in_channels=inner, out_channels=inner, norm_cfg=norm_cfg),
            nn.Conv2d(inner, joint, 1),
        )
        self.shared = BasicBlock(in_channels=joint, out_channels=channels, norm_cfg=norm_cfg)
        self.excite = nn.ModuleDict({task: SqueezeExcite(channels=channels) for task in tasks})

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One map ``(B, C, H, W)`` per task to the same shapes."""
        joint = torch.cat([features[task] for task in self.excite], dim=1)  # (B, N * C, H, W)
        shared = recompute(self, self._share, joint, enabled=self.with_cp)  # (B, C, H, W)
        return {task: features[task] + excite(shared) for task, excite in self.excite.items()}

    def _share(self, joint: Tensor) -> Tensor:
        """All tasks' features ``(B, N * C, H, W)`` to their shared map ``(B, C, H, W)``."""
        gate = self.gate(joint).unflatten(1, (len(self.excite), -1)).softmax(1).flatten(1, 2)  # (B, N * C, H, W)
        return self.shared(joint * gate)


class InitialScale(nn.Module):
    """The initial features and predictions of all tasks at one scale: two basic blocks and a 1x1 convolution each.

    Args:
        outputs: Channels of each task's logits, by task key.
        in_channels: Channels of the input, propagated features included.
        channels: Channels of the features.
        with_cp: Recompute the activations of the blocks in the backward pass instead of keeping them.
        norm_cfg: Norm layer.
    """

    def __init__(
        self,
        *,
        outputs: Mapping[str, int],
        in_channels: int,
        channels: int,
        with_cp: bool = False,
        norm_cfg: dict | None = None,
    ) -> None:
        super().__init__()
        self.with_cp = with_cp
        self.blocks = nn.ModuleDict(
            {
                task: nn.Sequential(
                    BasicBlock(in_channels=in_channels, out_channels=channels, norm_cfg=norm_cfg),
                    BasicBlock(in_channels=channels, out_channels=channels, norm_cfg=norm_cfg),
                )
                for task in outputs
            }
        )
        self.predictors = nn.ModuleDict({task: nn.Conv2d(channels, size, 1) for task, size in outputs.items()})

    def forward(
        self, x: Tensor, propagated: Mapping[str, Tensor] | None = None
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return features ``(B, channels, H, W)`` and logits ``(B, K, H, W)`` of each task.

        Args:
            x: The backbone's map at this scale, ``(B, C, H, W)``.
            propagated: Each task's features of the next coarser scale, ``(B, C', h, w)``; none at the coarsest.
        """
        features = {}
        for task, block in self.blocks.items():
            parts = [x] if propagated is None else [x, resize(propagated[task], x.shape[-2:])]
            features[task] = recompute(block, block, torch.cat(parts, dim=1), enabled=self.with_cp)
        return features, {task: predictor(features[task]) for task, predictor in self.predictors.items()}


class MultiScaleInitial(nn.Module):
    """Initial features and predictions at all scales, coarsest first, each scale fed by the one before.

    Args:
        outputs: Channels of each task's logits, by task key.
        in_channels: Channels of the backbone's maps, finest first; the tasks' features have as many.
        feature_propagation: Whether a scale also reads the coarser one's features, through
            :class:`FeaturePropagation`; if not, the scales are independent.
        with_cp: Recompute the activations of blocks and propagation in the backward pass instead of keeping them.
        norm_cfg: Norm layer.
    """

    def __init__(
        self,
        *,
        outputs: Mapping[str, int],
        in_channels: Sequence[int],
        feature_propagation: bool = True,
        with_cp: bool = False,
        norm_cfg: dict | None = None,
    ) -> None:
        super().__init__()
        coarser = [*in_channels[1:], 0] if feature_propagation else [0] * len(in_channels)
        self.scales = nn.ModuleList(
            InitialScale(outputs=outputs, in_channels=own + more, channels=own, with_cp=with_cp, norm_cfg=norm_cfg)
            for own, more in zip(in_channels, coarser, strict=True)
        )
        self.propagation = nn.ModuleList(
            FeaturePropagation(tasks=tuple(outputs), channels=channels, with_cp=with_cp, norm_cfg=norm_cfg)
            for channels in (in_channels[1:] if feature_propagation else [])
        )

    def forward(self, pyramid: Sequence[Tensor]) -> tuple[list[dict[str, Tensor]], list[dict[str, Tensor]]]:
        """Return, finest scale first, each task's features ``(B, C_i, H_i, W_i)`` and logits ``(B, K, H_i, W_i)``.

        Args:
            pyramid: The backbone's maps ``(B, C_i, H_i, W_i)``, finest first.
        """
        features: list[dict[str, Tensor]] = []
        logits: list[dict[str, Tensor]] = []
        propagated = None
        for level in reversed(range(len(pyramid))):
            of_level, logits_of_level = cast(InitialScale, self.scales[level])(pyramid[level], propagated)
            features.insert(0, of_level)
            logits.insert(0, logits_of_level)
            if level and len(self.propagation):
                propagated = self.propagation[level - 1](of_level)
        return features, logits


class CrossScaleFusion(nn.Module):
    """Each task's features of all scales, resampled to the finest, concatenated, 1x1 convolution, norm, ReLU.

    Args:
        tasks: Task keys.
        in_channels: Channels of the scales, finest first; the result has their sum.
        norm_cfg: Norm layer.
    """

    def __init__(self, *, tasks: Sequence[str], in_channels: Sequence[int], norm_cfg: dict | None = None) -> None:
        super().__init__()
        fused = sum(in_channels)
        self.fuse = nn.ModuleDict({task: conv_norm_relu(nn.Conv2d(fused, fused, 1), norm_cfg) for task in tasks})

    def forward(self, scales: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Maps ``(B, C_i, H_i, W_i)`` per scale and task to one ``(B, sum of C_i, H_0, W_0)`` per task."""
        return {task: fuse(concat_pyramid([scale[task] for scale in scales])) for task, fuse in self.fuse.items()}
