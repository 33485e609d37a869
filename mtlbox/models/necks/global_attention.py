"""Global attention with and without other tasks as sources, the heads of TIF's Table 1. Reconstructed.

Task-Interaction-Free Multi-Task Learning with Efficient Hierarchical Feature Representation, ACM MM 2024,
https://doi.org/10.1145/3664647.3681183, Table 1, by which the paper argues that tasks need not hear each other. Its
models are made after the global context of ATRC (D. Bruggemann et al., Exploring Relational Context for Multi-Task
Dense Prediction, ICCV 2021); no code of them is public.

Our choice, not the paper's: the width, one head, keys and values averaged over squares of pixels, a 1x1 convolution
with norm and ReLU that makes a task's features, and another that joins them with what each source gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mtlbox.models.layers import concat_pyramid, to_map, to_tokens
from mtlbox.models.layers.checks import at_least
from mtlbox.models.layers.recompute import recompute
from mtlbox.models.layers.task_attention import TaskAttention, pool_tokens
from mtlbox.models.necks.base import TaskNeck
from mtlbox.registry import NECKS
from mtlbox.structures import MTLDataSample, NeckOutput
from mtlbox.tasks import Task


class SourceAttention(nn.Module):
    """One task's map joined with what attention finds in the map of each of its sources.

    Args:
        sources: How many sources there are.
        channels: Channels C of the maps.
        num_heads: Heads of each attention; they must divide C.
        kv_stride: Keys and values are averaged over squares of so many pixels.
        norm_cfg: Norm layer.
    """

    def __init__(self, *, sources: int, channels: int, num_heads: int, kv_stride: int, norm_cfg: dict) -> None:
        super().__init__()
        self.kv_stride = kv_stride
        self.attentions = nn.ModuleList(TaskAttention(channels=channels, num_heads=num_heads) for _ in range(sources))
        self.join = ConvModule((1 + sources) * channels, channels, 1, norm_cfg=norm_cfg)

    def forward(self, own: Tensor, *sources: Tensor) -> Tensor:
        """Return the task's new map ``(B, C, H, W)``.

        Args:
            own: Its map, of which the queries are.
            sources: Those of the sources, of the same shape.
        """
        size, query = own.shape[-2:], to_tokens(own)  # (B, N, C)
        tokens = pool_tokens(torch.stack([to_tokens(x) for x in sources], dim=1), size, self.kv_stride)  # (B, S, N', C)
        attentions = [cast(TaskAttention, attention) for attention in self.attentions]
        found = [attention.over_all(query, tokens[:, i]) for i, attention in enumerate(attentions)]
        return self.join(torch.cat([own, *(to_map(x, size) for x in found)], dim=1))


@NECKS.register_module()
class GlobalAttention(TaskNeck):
    """A map per task at 1/4; each attends to all pixels of its own, and with ``interaction`` of every other task's.

    Args:
        tasks: The model's tasks by key; given by the model.
        in_channels: Channels of the backbone's maps, finest first.
        channels: Channels C of a task's features, and of what the heads read.
        num_heads: Heads of each attention; they must divide C.
        kv_stride: Keys and values are averaged over squares of so many pixels; 1 keeps them all.
        interaction: Whether the other tasks are sources too.
        with_cp: Recompute the activations of the attentions in the backward pass instead of keeping them.
        norm_cfg: Norm layer.
        init_cfg: Initialisation as in mmengine.

    Raises:
        ValueError: ``num_heads`` does not divide ``channels``, or a number is less than 1.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task],
        in_channels: Sequence[int],
        channels: int = 64,
        num_heads: int = 1,
        kv_stride: int = 4,
        interaction: bool = True,
        with_cp: bool = False,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(tasks=tasks, init_cfg=init_cfg)
        at_least(1, channels=channels, num_heads=num_heads, kv_stride=kv_stride)
        norm_cfg = norm_cfg or {'type': 'BN'}
        self.interaction, self.with_cp = interaction, with_cp
        self.own = nn.ModuleDict({key: ConvModule(sum(in_channels), channels, 1, norm_cfg=norm_cfg) for key in tasks})
        self.attend = nn.ModuleDict(
            {
                key: SourceAttention(
                    sources=len(self._sources(key)),
                    channels=channels,
                    num_heads=num_heads,
                    kv_stride=kv_stride,
                    norm_cfg=norm_cfg,
                )
                for key in tasks
            }
        )

    def _sources(self, key: str) -> list[str]:
        return [key, *(other for other in self.tasks if self.interaction and other != key)]

    def forward(self, features: Sequence[Tensor], data_samples: list[MTLDataSample] | None = None) -> NeckOutput:
        """Maps, finest first, to one ``(B, C, H/4, W/4)`` per task."""
        shared = concat_pyramid(features)
        own = {key: project(shared) for key, project in self.own.items()}
        after = {}
        for key, attend in self.attend.items():
            sources = [own[source] for source in self._sources(key)]
            after[key] = recompute(attend, attend, own[key], *sources, enabled=self.with_cp)
        return NeckOutput(features=after)
