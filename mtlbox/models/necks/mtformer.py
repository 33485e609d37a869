"""MTFormer.

X. Xu, H. Zhao, V. Vineet, S.-N. Lim, A. Torralba: MTFormer: Multi-Task Learning via Transformer and Cross-Task
Reasoning, ECCV 2022; https://github.com/xiaogang00/MTFormer

Where paper and released code differ, the default is the code, by which the published sizes come out:

- the fused attention gets the unmapped self-attention added, which Equation 3 does not show
  (``unmapped_residual``);
- other tasks' features pass a cross-task stack unchanged (``update_others=False``), while the paper's indices suggest
  that all tasks move together;
- the contrast of the configs is by memory banks with weight 0.01 (``contrast='nce_bank'``), in the paper a softmax over
  the batch with weight 1 (``'info_nce_batch'``); without a choice there is none.

Errors of the code that are off unless asked for: with two tasks the scale of the cross-task attention is taken from the
width of two concatenated features, 128**-0.5 in place of 64**-0.5 (``scale_quirk``); and each plain stack carries a
4x4 patch embedding that it never uses (``legacy_patch_embed``: here frozen, so that nothing waits for its gradient).
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from mtlbox.models.layers import concat_pyramid
from mtlbox.models.layers.checks import at_least, one_of, reject_changes
from mtlbox.models.layers.contrast import BankContrast, BatchContrast, TaskContrast
from mtlbox.models.layers.recompute import recompute
from mtlbox.models.layers.window_attention import WindowAttention, WindowStack, init_linear, mlp
from mtlbox.models.necks.base import TaskNeck
from mtlbox.registry import NECKS, did_you_mean
from mtlbox.structures import MTLDataSample, NeckOutput
from mtlbox.tasks import Task

CONTRASTS: dict[str, type[TaskContrast]] = {'nce_bank': BankContrast, 'info_nce_batch': BatchContrast}
CONTRAST_WEIGHTS = {'nce_bank': 0.01, 'info_nce_batch': 1.0}


class CrossTaskBlock(nn.Module):
    """A window block of one task whose attention also has the queries and keys of all others (section 3.3).

    The same projections serve all sources. Each source's attention is mapped by an MLP of its own, and what they say
    together is fused by another.

    Args:
        tasks: Task keys, the block's own first.
        channels: Channels C of the features.
        num_heads: How many heads.
        window: Side of a window in pixels.
        shift: Pixels by which the windows are shifted.
        mlp_ratio: Inner channels of the last MLP over ``channels``.
        scale: Factor of the products of queries and keys; 1 / sqrt(channels per head) where not given.
        feature_mapping: FM, the MLP of each source.
        feature_fusion: FF, the MLP of all; without it they are summed.
        feature_balance: FB, the others' MLPs share the width that the own one has; without it, FM or FF each has it
            whole.
        unmapped_residual: Add the own attention, unmapped, to what all say together.
    """

    def __init__(
        self,
        *,
        tasks: Sequence[str],
        channels: int,
        num_heads: int,
        window: int,
        shift: int,
        mlp_ratio: float,
        scale: float | None,
        feature_mapping: bool,
        feature_fusion: bool,
        feature_balance: bool,
        unmapped_residual: bool,
    ) -> None:
        super().__init__()
        self.unmapped_residual = unmapped_residual
        inner = len(tasks) * channels
        balanced = channels // (len(tasks) - 1) if feature_mapping and feature_fusion and feature_balance else channels
        widths = {task: balanced if i else channels for i, task in enumerate(tasks)}
        self.norm = nn.LayerNorm(channels)
        self.attention = WindowAttention(
            channels=channels, num_heads=num_heads, window=window, shift=shift, scale=scale
        )
        self.mappings = nn.ModuleDict(
            {task: mlp(channels, inner, width) for task, width in widths.items()} if feature_mapping else {}
        )
        self.fusion = mlp(sum(widths.values()), inner, channels) if feature_fusion else None
        self.mlp_norm = nn.LayerNorm(channels)
        self.mlp = mlp(channels, int(mlp_ratio * channels), channels)
        init_linear(self)

    def forward(self, own: Tensor, *others: Tensor) -> Tensor:
        """Return the task's new features ``(B, H, W, C)``.

        Args:
            own: The task's features ``(B, H, W, C)``.
            others: Those of the others, in the order of ``tasks``.
        """
        sources = self.norm(torch.stack([own, *others]))  # (S, B, H, W, C)
        attended = self.attention(sources[0], sources)  # (S, B, H, W, C)
        told: Sequence[Tensor] = attended.unbind()
        if len(self.mappings):
            told = [mapping(part) for mapping, part in zip(self.mappings.values(), told)]
        fused = sum(told[1:], told[0]) if self.fusion is None else self.fusion(torch.cat(list(told), dim=-1))
        x = (own + attended[0] if self.unmapped_residual else own) + fused
        return x + self.mlp(self.mlp_norm(x))


class CrossTaskStack(nn.Module):
    """The cross-task blocks of one task, every second one shifted, and a LayerNorm.

    Args:
        num_blocks: How many blocks.
        window: Side of a window in pixels.
        channels: Channels of the features.
        block: Further arguments of :class:`CrossTaskBlock`.
    """

    def __init__(self, *, num_blocks: int, window: int, channels: int, block: Mapping[str, Any]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            CrossTaskBlock(window=window, channels=channels, shift=window // 2 if i % 2 else 0, **block)
            for i in range(num_blocks)
        )
        self.norm = nn.LayerNorm(channels)


@NECKS.register_module()
class MTFormer(TaskNeck):
    """A shared stack of window attention; then per task a stack of its own, and one that reads the other tasks.

    Published with the backbone's maps at 1/8, 1/16 and 1/32. With one task, as in STL, set
    ``cross_attention=False``.

    Args:
        tasks: The model's tasks by key; given by the model.
        in_channels: Channels of the backbone's maps, finest first; all are brought to the finest one's size.
        channels: Channels C of the features, and of what the heads read.
        num_heads: Heads of all attention.
        num_blocks: Blocks of the shared, the tasks' own and their cross-task stacks: three numbers.
        window: Side of the windows in pixels.
        mlp_ratio: Inner channels of the blocks' MLPs over ``channels``.
        cross_attention: CA. Without it, the last stacks are plain, no task reads another, and what shapes the reading
            (FM, FF, FB, ``unmapped_residual``, ``update_others``) must be left at its default; ``scale_quirk`` scales
            nothing then.
        feature_mapping: FM, whether each source's attention is mapped by an MLP.
        feature_fusion: FF, whether an MLP fuses them; if not, they are summed.
        feature_balance: FB, whether the other tasks together get as many channels as the own one, which with two tasks
            is so in any case. It shapes what FM makes for FF: without either it must be left at its default.
        unmapped_residual: Whether a task's own attention is also added unmapped to what FF makes of all, as in the
            code, or not, as in Equation 3.
        update_others: Whether a task reads the others as they are after the cross-task block before, or, as in the
            code, as they were before all of them.
        scale_quirk: Take the scale of the cross-task attention from the concatenated width; see the module's text.
        legacy_patch_embed: Carry the code's unused patch embeddings, for a match of the parameter count.
        contrast: CL: ``'nce_bank'`` (the code), ``'info_nce_batch'`` (the paper) or ``'none'``; a loss
            ``neck/loss_contrast``, in training only.
        contrast_weight: Its factor; 0.01 and 1 where not given, as in code and paper. Not with ``'none'``.
        contrast_options: Further arguments of ``BankContrast`` (``num_samples``, the length of the training set, and
            ``num_negatives`` are needed) or ``BatchContrast``; not looked at with ``'none'``.
        with_cp: Recompute blocks in the backward pass in place of keeping their activations.
        init_cfg: Initialisation as in mmengine.

    Raises:
        ValueError: The cross-task attention or the contrast has fewer than two tasks, a name is unknown, a number is
            out of its range, or an argument is for what another one leaves out.
        TypeError: ``contrast_options`` lacks something or has something that this contrast does not take.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task],
        in_channels: Sequence[int],
        channels: int = 256,
        num_heads: int = 4,
        num_blocks: Sequence[int] = (2, 2, 2),
        window: int = 7,
        mlp_ratio: float = 4.0,
        cross_attention: bool = True,
        feature_mapping: bool = True,
        feature_fusion: bool = True,
        feature_balance: bool = True,
        unmapped_residual: bool = True,
        update_others: bool = False,
        scale_quirk: bool = False,
        legacy_patch_embed: bool = False,
        contrast: str = 'none',
        contrast_weight: float | None = None,
        contrast_options: Mapping[str, Any] | None = None,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(tasks=tasks, init_cfg=init_cfg)
        one_of('contrast', contrast, ('none', *CONTRASTS))
        if cross_attention and len(tasks) < 2:
            raise ValueError(
                f'cross_attention needs at least two tasks, but the model has {list(tasks)}. '
                'For one task set cross_attention=False.'
            )
        if not cross_attention:
            reject_changes(
                'cross_attention=True, but that is False',
                {
                    'feature_mapping': (feature_mapping, True),
                    'feature_fusion': (feature_fusion, True),
                    'feature_balance': (feature_balance, True),
                    'unmapped_residual': (unmapped_residual, True),
                    'update_others': (update_others, False),
                },
            )
        for name, is_on in (('feature_mapping', feature_mapping), ('feature_fusion', feature_fusion)):
            if not is_on:
                reject_changes(f'{name}=True, but that is False', {'feature_balance': (feature_balance, True)})
        if contrast == 'none' and contrast_weight is not None:
            raise ValueError(f"contrast_weight={contrast_weight} weighs nothing, for contrast is 'none'")
        at_least(0, contrast_weight=contrast_weight or 0)
        if len(num_blocks) != 3 or min(num_blocks) < 0:
            raise ValueError(
                f'num_blocks: expected three numbers, of the shared, own and cross-task stacks, got {num_blocks}'
            )
        at_least(1, channels=channels, num_heads=num_heads, window=window)
        at_least(1 / channels, mlp_ratio=mlp_ratio)  # one inner channel
        of_shared, of_self, of_cross = num_blocks
        self.cross_attention, self.update_others, self.with_cp = cross_attention, update_others, with_cp
        plain: dict[str, Any] = {
            'channels': channels,
            'num_heads': num_heads,
            'window': window,
            'mlp_ratio': mlp_ratio,
            'with_cp': with_cp,
        }
        self.reduce = nn.Conv2d(sum(in_channels), channels, 1)
        self.shared = WindowStack(num_blocks=of_shared, **plain)
        self.own = nn.ModuleDict({key: WindowStack(num_blocks=of_self, **plain) for key in tasks})
        if cross_attention:
            block: dict[str, Any] = {
                'num_heads': num_heads,
                'mlp_ratio': mlp_ratio,
                'scale': (len(tasks) * channels / num_heads) ** -0.5 if scale_quirk else None,
                'feature_mapping': feature_mapping,
                'feature_fusion': feature_fusion,
                'feature_balance': feature_balance,
                'unmapped_residual': unmapped_residual,
            }
            self.cross = nn.ModuleDict(
                {
                    key: CrossTaskStack(
                        num_blocks=of_cross,
                        window=window,
                        channels=channels,
                        block={**block, 'tasks': self._own_first(key)},
                    )
                    for key in tasks
                }
            )
        else:
            self.cross = nn.ModuleDict({key: WindowStack(num_blocks=of_cross, **plain) for key in tasks})
        stacks = sum(isinstance(module, WindowStack) for module in self.modules()) if legacy_patch_embed else 0
        self.unused = nn.ModuleList(_patch_embedding(channels) for _ in range(stacks)).requires_grad_(False)
        self.contrast: TaskContrast | None = None
        self.contrast_weight = 0.0
        if contrast != 'none':
            options = contrast_options or {}
            _check_contrast_options(contrast, options)
            self.contrast = CONTRASTS[contrast](tasks=tuple(tasks), in_channels=channels, **options)
            self.contrast_weight = CONTRAST_WEIGHTS[contrast] if contrast_weight is None else contrast_weight

    def _own_first(self, key: str) -> list[str]:
        return [key, *(other for other in self.tasks if other != key)]

    def forward(self, features: Sequence[Tensor], data_samples: list[MTLDataSample] | None = None) -> NeckOutput:
        """Maps, finest first, to one ``(B, C, H, W)`` per task at the finest one's size, and the contrast."""
        x = self.reduce(concat_pyramid(features)).permute(0, 2, 3, 1)  # (B, H, W, C)
        x = self.shared(x)
        own = {key: stack(x) for key, stack in self.own.items()}
        if self.cross_attention:
            own = self._exchange(own)
        else:
            own = {key: stack(own[key]) for key, stack in self.cross.items()}
        output = NeckOutput(features={key: x.permute(0, 3, 1, 2) for key, x in own.items()})
        if self.contrast is not None and self.training and data_samples is not None:
            loss = self.contrast(output.features, [sample.sample_idx for sample in data_samples])
            output.losses['loss_contrast'] = self.contrast_weight * loss
        return output

    def _exchange(self, own: dict[str, Tensor]) -> dict[str, Tensor]:
        """Run the cross-task stacks, all tasks in step."""
        stacks = {key: cast(CrossTaskStack, stack) for key, stack in self.cross.items()}
        told, current = own, own
        for i in range(len(next(iter(stacks.values())).blocks)):
            new = {}
            for key, stack in stacks.items():
                others = [told[other] for other in self._own_first(key)[1:]]
                block = stack.blocks[i]
                new[key] = recompute(block, block, current[key], *others, enabled=self.with_cp)
            current = new
            if self.update_others:
                told = current
        return {key: stack.norm(current[key]) for key, stack in stacks.items()}


def _check_contrast_options(contrast: str, options: Mapping[str, Any]) -> None:
    """Raise TypeError unless ``options`` are what the class of the name ``contrast`` takes besides tasks and width."""
    taken = dict(inspect.signature(CONTRASTS[contrast]).parameters)
    del taken['tasks'], taken['in_channels']
    for name in options:
        if name not in taken:
            raise TypeError(
                f'contrast_options: {contrast!r} does not take {name!r}.{did_you_mean(name, taken)} '
                'For none of them set contrast_options=None.'
            )
    lacking = [name for name, value in taken.items() if value.default is value.empty and name not in options]
    if lacking:
        raise TypeError(f'contrast_options: {contrast!r} needs {", ".join(lacking)}')


def _patch_embedding(channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, channels, 4, stride=4), nn.LayerNorm(channels))
