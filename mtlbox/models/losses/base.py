"""What all losses share: they compare logits with a label where there is one."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from mtlbox.registry import LOSSES
from mtlbox.tasks import Task


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of ``values`` over the pixels of ``mask``, counted over all ranks.

    The count is reduced over the ranks and divided by their number, so that DDP's averaging of gradients yields the
    gradient of the mean over the whole batch, however unevenly the labels are spread. Without any labelled pixel the
    result is a zero that is still connected to ``values``: gradients are zeros, not missing.

    Args:
        values: ``(B, H, W)``.
        mask: bool ``(B, H, W)``.
    """
    count = mask.sum().to(torch.float32)
    all_reduce(count)
    count = count.clamp(min=1) / get_world_size()
    return torch.where(mask, values, torch.zeros_like(values)).sum() / count


def share_over_ranks(chosen: Tensor, mask: Tensor) -> Tensor:
    """Return which share of the pixels of ``mask`` is ``chosen``, counted over all ranks; 0 where there are none.

    Args:
        chosen: bool ``(B, H, W)``.
        mask: bool ``(B, H, W)``.
    """
    counts = torch.stack([(chosen & mask).sum(), mask.sum()]).to(torch.float32)
    all_reduce(counts)
    return counts[0] / counts[1].clamp(min=1)


def given(task: Task) -> str:
    """Say what a loss is given by a task, for messages: how many channels, and labels of which kind."""
    if task.likelihood == 'gaussian':
        labels = 'quantities'
    else:
        labels = 'class numbers' if task.has_classes() else '0 or 1'
    channels = f'{task.channels} channel{"s" if task.channels > 1 else ""}'
    return f'a {type(task).__name__} has {channels} for labels that are {labels}'


def check_fit(loss: nn.Module, task: Task) -> None:
    """Raise ValueError where a loss cannot train a task; the message names the losses that can as they are."""
    reason = loss.misfit(task) if isinstance(loss, PixelLoss) else ''
    if reason:
        known = {name: cls for name, cls in LOSSES.module_dict.items() if issubclass(cls, PixelLoss)}
        fitting = [name for name, cls in known.items() if not cls().misfit(task)]
        raise ValueError(
            f'{type(loss).__name__} cannot train {task.key!r}: {reason}, and {given(task)}. '
            f'Of the losses fit: {", ".join(fitting) or "none"}.'
        )


class PixelLoss(nn.Module):
    """A loss per pixel, averaged over the labelled ones.

    Args:
        loss_weight: Factor of this loss among the losses of its task. Weights between tasks belong to the weighting.
    """

    name: str
    """What it is called in the log: ``{task}/loss_{name}``."""

    def __init__(self, *, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def misfit(self, task: Task) -> str:
        """Say why this loss cannot train ``task``; return '' where it can, which the base does not doubt."""
        return ''

    def forward(self, logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return the loss, a scalar.

        Args:
            logits: ``(B, K, H, W)``.
            target: Packed ground truth ``(B, C, H, W)``.
            mask: Which pixels are labelled, bool ``(B, H, W)``.
        """
        return self.loss_weight * masked_mean(self.per_pixel(logits.float(), target, mask), mask)

    def per_pixel(self, logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return the loss of each pixel ``(B, H, W)``; its values outside ``mask`` do not count but must be finite."""
        raise TypeError(f'{type(self).__name__} does not define per_pixel.')
