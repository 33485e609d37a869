"""The losses of the field's protocols."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mtlbox.models.losses.base import PixelLoss, share_over_ranks
from mtlbox.registry import LOSSES
from mtlbox.tasks import Task


@LOSSES.register_module()
class CrossEntropyLoss(PixelLoss):
    """Softmax cross-entropy over classes; for class tasks.

    Args:
        loss_weight: Factor of this loss.
    """

    name = 'ce'

    def misfit(self, task: Task) -> str:
        """Say why not: it needs a logit per class."""
        if task.likelihood == 'categorical' and task.channels > 1:
            return ''
        return 'it reads a channel per class'

    def per_pixel(self, logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return -log softmax of the true class, ``(B, H, W)``."""
        classes = torch.where(mask, target[:, 0], torch.zeros_like(target[:, 0])).long()
        return F.cross_entropy(logits, classes, reduction='none')


@LOSSES.register_module()
class L1Loss(PixelLoss):
    """Absolute difference, for depth and, with ``normalize``, for normals.

    Args:
        normalize: Bring the prediction to unit length first, as for normals.
        average: ``'pixels'``: the channels of a pixel are summed (ATRC, InvPT); ``'elements'``: they are averaged
            (the survey's code: a third of that for normals, at the same weight).
        below: Leave out the pixels with a label of at least so much (MTFormer's depths: 6.5535 m).
        loss_weight: Factor of this loss.
    """

    name = 'l1'

    def __init__(
        self,
        *,
        normalize: bool = False,
        average: str = 'pixels',
        below: float | None = None,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(loss_weight=loss_weight)
        if average not in ('pixels', 'elements'):
            raise ValueError(f"average must be 'pixels' or 'elements', but is {average!r}.")
        self.normalize, self.average, self.below = normalize, average, below

    def misfit(self, task: Task) -> str:
        """Say why not: it needs a quantity for each channel, and a direction to bring to unit length."""
        if task.likelihood != 'gaussian' or task.channels != task.gt_channels:
            return 'it compares each channel with a quantity'
        if self.normalize and task.channels == 1:
            return 'with normalize it compares directions'
        return ''

    def forward(self, logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return the loss, a scalar; see :class:`PixelLoss`."""
        if self.below is not None:
            mask = mask & (target < self.below).all(1)
        return super().forward(logits, target, mask)

    def per_pixel(self, logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return the absolute difference over the channels, ``(B, H, W)``."""
        prediction = F.normalize(logits, dim=1) if self.normalize else logits
        difference = (prediction - target).abs()
        return difference.sum(1) if self.average == 'pixels' else difference.mean(1)


@LOSSES.register_module()
class CosineLoss(PixelLoss):
    """One minus the cosine of the angle between prediction and label, for normals (MTAN, CTAL).

    Args:
        loss_weight: Factor of this loss.
    """

    name = 'cosine'

    def misfit(self, task: Task) -> str:
        """Say why not: it needs a direction."""
        if task.likelihood == 'gaussian' and task.channels == task.gt_channels > 1:
            return ''
        return 'it compares directions'

    def per_pixel(self, logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return 1 - p.g with p of unit length and g as given, ``(B, H, W)``."""
        return 1 - (F.normalize(logits, dim=1) * target).sum(1)


@LOSSES.register_module()
class BalancedBCELoss(PixelLoss):
    """Binary cross-entropy in which ones weigh ``pos_weight`` and zeros ``1 - pos_weight``.

    Logits of two channels are read by a softmax, as ATRC and InvPT do for saliency, which is the sigmoid of their
    difference.

    Args:
        pos_weight: Weight of the ones in 0..1. Boundaries: 0.95 (PASCAL-Context; InvPT on NYUD), 0.8 (ATRC on NYUD).
            0.5 halves the plain binary cross-entropy. None: the share of zeros among the labelled pixels of the
            batch over all ranks (HED's balance; saliency in the survey and ASTMT), so that both classes weigh alike.
        loss_weight: Factor of this loss.
    """

    name = 'bce'

    def __init__(self, *, pos_weight: float | None = 0.95, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight=loss_weight)
        if pos_weight is not None and not 0 < pos_weight < 1:
            raise ValueError(f'pos_weight must be between 0 and 1, or None, but is {pos_weight}.')
        self.pos_weight = pos_weight

    def misfit(self, task: Task) -> str:
        """Say why not: it needs ones and zeros, for one logit or two."""
        if task.likelihood == 'categorical' and not task.has_classes() and task.channels <= 2:
            return ''
        return 'it reads labels of 0 and 1'

    def per_pixel(self, logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Return the weighted cross-entropy, ``(B, H, W)``."""
        ones = torch.where(mask, target[:, 0], torch.zeros_like(target[:, 0])).float()
        of_ones = share_over_ranks(ones < 0.5, mask) if self.pos_weight is None else self.pos_weight
        weight = ones * of_ones + (1 - ones) * (1 - of_ones)
        logit = logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]
        return weight * F.binary_cross_entropy_with_logits(logit, ones, reduction='none')
