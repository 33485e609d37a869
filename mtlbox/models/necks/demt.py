"""DeMT, the deformable mixer transformer.

Y. Xu, Y. Yang, L. Zhang: DeMT: Deformable Mixer Transformer for Multi-Task Learning of Dense Prediction, AAAI 2023.
Official repository: https://github.com/yangyangxu0/DeMT; the variant with a gate: https://github.com/yangyangxu0/DeMTG

Where paper and released code differ, the defaults are the code, which made the published numbers:

* ``attention``. The paper lets every token attend to all tokens of all tasks. The code gives batch-first tokens to
  attention that expects the sequence first. With one image per process, as published, the interaction then attends over
  single tokens, so that only the projections of values and results are left, and the query attends at each pixel on
  its own, over the tokens that the tasks have there: ``'per_pixel'``. The published GFLOPs are of this reading.
  ``'global'`` is the paper's text, ``'none'`` a control: the same weights, each token attends to itself.
* ``mixer_order``. The paper has the deformable convolution first, and so has a version of the released file; another
  version, and DeMTG's file, have the plain one first: ``'code'``. Sizes and MACs are the same.
* ``norm_first``. The paper has LayerNorm before the reduction and before the attentions; the code after the reduction.
* ``absolute_coords``. A quirk of the code: what offsets are made of has rows and columns of the image added to it.
* ``keep_unused``. The interaction's queries and keys reach no output in the code, but count as parameters.

Deviations: more than one image per process does not mix images, as it does in the code; the hook that is to slow the
gradients of the offsets returns nothing there and is left out.

Cost of ``'global'``. With T tasks and N tokens each, interaction and query take 4 (T N)^2 C MACs besides the
projections: 3.7 T at T = 4, N = 107 * 140 (425x560) and C = 256, about 30 times all the rest. Fused attention keeps the
memory linear; ``kv_stride`` s divides MACs and time by s^2. ``'per_pixel'`` takes 2 T^2 N C, next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mtlbox.models.layers import concat_pyramid, to_map, to_tokens
from mtlbox.models.layers.checks import at_least, one_of, reject_changes
from mtlbox.models.layers.deformable import DeformImpl
from mtlbox.models.layers.deformable_mixer import DeformableMixerBlock, MixerOrder
from mtlbox.models.layers.gated_mlp import GatedMLP
from mtlbox.models.layers.recompute import recompute
from mtlbox.models.layers.task_attention import TaskAttention, pool_tokens
from mtlbox.models.necks.base import TaskNeck
from mtlbox.registry import NECKS
from mtlbox.structures import MTLDataSample, NeckOutput
from mtlbox.tasks import Task

Attention = Literal['per_pixel', 'global', 'none']


class TaskInteraction(nn.Module):
    """Self-attention among the tokens of all tasks, a linear layer and LayerNorm; no residual.

    Args:
        channels: Channels of the tokens.
        num_heads: Heads.
        attention: As of :class:`DeMT`, like the next three.
        norm_first: See there.
        kv_stride: See there.
        keep_unused: See there.
    """

    def __init__(
        self,
        *,
        channels: int,
        num_heads: int,
        attention: Attention,
        norm_first: bool,
        kv_stride: int,
        keep_unused: bool,
    ) -> None:
        super().__init__()
        self.of_all, self.kv_stride = attention == 'global', kv_stride
        self.norm = nn.LayerNorm(channels) if norm_first else nn.Identity()
        self.attention = TaskAttention(
            channels=channels, num_heads=num_heads, compare=self.of_all, keep_unused=keep_unused
        )
        self.mlp = nn.Sequential(nn.Linear(channels, channels), nn.LayerNorm(channels))

    def forward(self, tokens: Tensor, size: Sequence[int]) -> Tensor:
        """Tokens of T tasks ``(B, T, H * W, C)`` and the (H, W) of their maps, to the same shape."""
        tokens = self.norm(tokens)
        if not self.of_all:
            return self.mlp(self.attention.values(tokens))
        pooled = pool_tokens(tokens, size, self.kv_stride).flatten(1, 2)
        return self.mlp(self.attention.over_all(tokens.flatten(1, 2), pooled).unflatten(1, tokens.shape[1:3]))


class TaskQuery(nn.Module):
    """Attention of one task's tokens to those of all tasks, a linear layer and LayerNorm, added to the former.

    Args:
        channels: Channels of the tokens.
        num_heads: Heads.
        attention: As of :class:`DeMT`, like the next three.
        norm_first: See there.
        kv_stride: See there.
        keep_unused: See there.
    """

    def __init__(
        self,
        *,
        channels: int,
        num_heads: int,
        attention: Attention,
        norm_first: bool,
        kv_stride: int,
        keep_unused: bool,
    ) -> None:
        super().__init__()
        self.reach, self.kv_stride = attention, kv_stride
        self.norm_query = nn.LayerNorm(channels) if norm_first and attention != 'none' else nn.Identity()
        self.norm = nn.LayerNorm(channels) if norm_first else nn.Identity()
        self.attention = TaskAttention(
            channels=channels, num_heads=num_heads, compare=attention != 'none', keep_unused=keep_unused
        )
        self.mlp = nn.Sequential(nn.Linear(channels, channels), nn.LayerNorm(channels))

    def forward(self, own: Tensor, fused: Tensor, index: int, size: Sequence[int]) -> Tensor:
        """Return the task's tokens after it has asked all tasks, ``(B, H * W, C)``.

        Args:
            own: The task's tokens before the interaction, ``(B, H * W, C)``.
            fused: Those of all T tasks after it, ``(B, T, H * W, C)``.
            index: Which of the T the task is.
            size: (H, W).
        """
        if self.reach == 'none':
            return own + self.mlp(self.attention.values(self.norm(fused[:, index])))
        query = self.norm_query(own)
        if self.reach == 'per_pixel':
            return own + self.mlp(self.attention.per_pixel(query, self.norm(fused)))
        pooled = pool_tokens(self.norm(fused), size, self.kv_stride).flatten(1, 2)
        return own + self.mlp(self.attention.over_all(query, pooled))


@NECKS.register_module()
class DeMT(TaskNeck):
    """DeMT: maps reduced to C channels at 1/4, a deformable mixer per task, interaction of tasks, a query per task.

    The paper's ablation removes parts: ``query=False`` leaves what the interaction makes of a task's tokens,
    ``interaction=False`` lets the query read the mixers' tokens, and without both there are the mixers alone. With
    ``attention='per_pixel'`` the query is where tasks hear each other: without it they share the reduction only.

    Args:
        tasks: The model's tasks by key; given by the model.
        in_channels: Channels of the backbone's maps, finest first.
        channels: Channels C of the tokens. The released code has 256; the published size on HRNet-W18 is that of 128.
        num_scales: How many of the maps are used, the finest ones.
        depth: Blocks of each mixer.
        num_heads: Heads of the attentions; they must divide C.
        attention: Which tokens a token attends to: those of all tasks at its pixel in the query (``'per_pixel'``, as
            published), all of all tasks (``'global'``, as written in the paper), or itself (``'none'``).
        kv_stride: With ``'global'``, keys and values are averaged over squares of so many pixels; 1 keeps them all.
        mixer_order: Whether a mixer begins with the plain convolution (``'code'``) or the deformable one (``'paper'``).
        absolute_coords: Whether the mixers' offsets are made of rows and columns of the image too.
        norm_first: LayerNorm before the reduction and the attentions, in place of after the reduction.
        mixer: Whether there are mixers; without, all tasks have the same tokens.
        interaction: Whether there is the interaction of tasks.
        query: Whether there are the tasks' queries.
        gated_channels: Hidden channels of DeMTG's gated MLP, which all tasks share; None leaves it out.
        keep_unused: Whether projections of queries and keys that reach no output are held all the same, as in the
            released code. They make checkpoints of all values of ``attention`` fit each other.
        deform_impl: How deformable convolutions are computed: ``'torch'``, ``'mmcv'`` (its compiled operator) or
            ``'auto'`` for the latter where it is installed, on CUDA. The results are the same.
        with_cp: Recompute the activations of mixers and queries in the backward pass instead of keeping them.
        norm_cfg: Norm layer of the mixers.
        init_cfg: Initialisation as in mmengine.

    Raises:
        ValueError: If an argument is out of its range, or is for a part that another one leaves out.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task],
        in_channels: Sequence[int],
        channels: int = 256,
        num_scales: int = 4,
        depth: int = 1,
        num_heads: int = 4,
        attention: Attention = 'per_pixel',
        kv_stride: int = 1,
        mixer_order: MixerOrder = 'code',
        absolute_coords: bool = True,
        norm_first: bool = False,
        mixer: bool = True,
        interaction: bool = True,
        query: bool = True,
        gated_channels: int | None = None,
        keep_unused: bool = True,
        deform_impl: DeformImpl = 'auto',
        with_cp: bool = False,
        norm_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(tasks=tasks, init_cfg=init_cfg)
        one_of('attention', attention, ('per_pixel', 'global', 'none'))
        if not 1 <= num_scales <= len(in_channels):
            raise ValueError(f"num_scales: expected 1 to {len(in_channels)}, the backbone's maps, got {num_scales}")
        at_least(1, channels=channels, depth=depth, num_heads=num_heads, kv_stride=kv_stride)
        if kv_stride > 1 and attention != 'global':
            raise ValueError(f"kv_stride={kv_stride} is for attention='global', but attention is {attention!r}")
        one_of('mixer_order', mixer_order, ('code', 'paper'))
        if not mixer:
            reject_changes(
                'mixer=True, but that is False',
                {'depth': (depth, 1), 'mixer_order': (mixer_order, 'code'), 'absolute_coords': (absolute_coords, True)},
            )
        if not (interaction or query):
            reject_changes('interaction=True or query=True, but both are False', {'kv_stride': (kv_stride, 1)})
        if gated_channels is not None and (gated_channels < 2 or gated_channels % 2):
            raise ValueError(f'gated_channels: expected None, or an even number from 2 on, got {gated_channels}')
        self.num_scales, self.with_cp = num_scales, with_cp
        joint = sum(in_channels[:num_scales])
        linear = nn.Linear(joint, channels)
        self.reduce = (
            nn.Sequential(nn.LayerNorm(joint), linear) if norm_first else nn.Sequential(linear, nn.LayerNorm(channels))
        )
        self.mixers = nn.ModuleDict(
            {
                key: nn.Sequential(
                    *(
                        DeformableMixerBlock(
                            channels=channels,
                            order=mixer_order,
                            absolute_coords=absolute_coords,
                            impl=deform_impl,
                            norm_cfg=norm_cfg,
                        )
                        for _ in range(depth if mixer else 0)
                    )
                )
                for key in tasks
            }
        )
        switches: dict[str, Any] = {
            'channels': channels,
            'num_heads': num_heads,
            'attention': attention,
            'norm_first': norm_first,
            'kv_stride': kv_stride,
            'keep_unused': keep_unused,
        }
        self.interaction = TaskInteraction(**switches) if interaction else None
        self.queries = nn.ModuleDict({key: TaskQuery(**switches) for key in tasks} if query else {})
        self.gated = (
            nn.Identity() if gated_channels is None else GatedMLP(channels=channels, hidden_channels=gated_channels)
        )

    def forward(self, features: Sequence[Tensor], data_samples: list[MTLDataSample] | None = None) -> NeckOutput:
        """Four maps to one ``(B, channels, H/4, W/4)`` per task."""
        shared = to_tokens(concat_pyramid(features[: self.num_scales]))  # (B, N, sum of C_i)
        size = features[0].shape[-2:]
        reduced = to_map(self.reduce(shared), size)  # (B, C, H/4, W/4)
        mixed = [to_tokens(self._run(self.mixers[key], reduced)) for key in self.tasks]  # (B, N, C) each
        fused = torch.stack(mixed, dim=1)  # (B, T, N, C)
        if self.interaction is not None:
            fused = self.interaction(fused, size)
        if self.queries:
            after = [
                self._run(self.queries[key], own, fused, index=i, size=size)
                for i, (key, own) in enumerate(zip(self.tasks, mixed))
            ]
        else:
            after = list(fused.unbind(1))
        return NeckOutput(features={key: to_map(self.gated(x), size) for key, x in zip(self.tasks, after)})

    def _run(self, module: nn.Module, *inputs: Tensor, **settings: Any) -> Tensor:
        return recompute(module, partial(module, **settings), *inputs, enabled=self.with_cp)
