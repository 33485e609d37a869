"""Contrast between tasks: what two tasks make of one image is to be more alike than what they make of two images.

:class:`BatchContrast` is InfoNCE over the batch, :class:`BankContrast` noise-contrastive estimation with memory banks
(Wu et al., Unsupervised Feature Learning via Non-Parametric Instance Discrimination, CVPR 2018; Tian et al.,
Contrastive Multiview Coding, ECCV 2020). Both are equal on several ranks to one process with the whole batch, and
neither reads a label.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import all_gather, all_reduce, get_rank, get_world_size
from torch import Tensor, nn
from torch.nn import functional as F

from mtlbox.models.layers.checks import at_least
from mtlbox.models.layers.factored_affinity import autocast_off


class _Gather(torch.autograd.Function):
    """Stacks a tensor of all ranks, ``(ranks, ...)``; what each rank's loss asks of it goes back to its owner."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.stack(all_gather(x.contiguous()))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        all_reduce(total)
        return total[get_rank()]


class TaskContrast(nn.Module):
    """Embeds the tasks' maps as points on a sphere and compares every ordered pair of tasks.

    Args:
        tasks: Task keys, at least two.
        in_channels: Channels of the tasks' maps.
        channels: Dimensions D of the embedding.
        temperature: What cosines are divided by, above 0.

    Raises:
        ValueError: There are fewer than two tasks, or an argument is out of its range.
    """

    def __init__(
        self, *, tasks: Sequence[str], in_channels: int, channels: int = 128, temperature: float = 0.07
    ) -> None:
        super().__init__()
        if len(tasks) < 2:
            raise ValueError(f'Contrast between tasks needs at least two tasks, but got {list(tasks)}.')
        at_least(1, channels=channels)
        if not temperature > 0:
            raise ValueError(f'temperature: expected more than 0, got {temperature}')
        self.temperature, self.channels = temperature, channels
        self.embeddings = nn.ModuleDict(
            {
                task: nn.Sequential(nn.Linear(in_channels, channels), nn.ReLU(), nn.Linear(channels, channels))
                for task in tasks
            }
        )

    def forward(self, features: Mapping[str, Tensor], indices: Sequence[int]) -> Tensor:
        """Return the loss, a scalar: the mean over this rank's images, summed over ordered pairs of tasks.

        Args:
            features: One map ``(B, C, H, W)`` per task; B is the same on all ranks.
            indices: The images' places in the training set.
        """
        pooled = {task: features[task].float().mean((2, 3)) for task in self.embeddings}  # (B, C) each
        with autocast_off(next(iter(pooled.values()))):
            embedded = torch.stack([embed(pooled[task]) for task, embed in self.embeddings.items()])
            pairs = self.compare(F.normalize(embedded, dim=-1), indices)  # (tasks, tasks)
        return pairs.sum() - pairs.diagonal().sum()

    @abstractmethod
    def compare(self, embedded: Tensor, indices: Sequence[int]) -> Tensor:
        """Return the loss of each pair of tasks, ``(tasks, tasks)``; the diagonal does not count.

        Args:
            embedded: Unit vectors ``(tasks, B, D)``.
            indices: The images' places in the training set.
        """


class BatchContrast(TaskContrast):
    """InfoNCE: a softmax over the images of the batch, of all ranks, whose right answer is the same image.

    A batch of one image has nothing to tell apart, and a loss of 0. For the arguments see :class:`TaskContrast`.
    """

    def compare(self, embedded: Tensor, indices: Sequence[int]) -> Tensor:
        """Return -log softmax of the same image's cosine, ``(tasks, tasks)``."""
        batch = embedded.shape[1]
        everyone = torch.cat(_Gather.apply(embedded).unbind(), dim=1) if get_world_size() > 1 else embedded
        logits = torch.einsum('ibd,jcd->ijbc', embedded, everyone) / self.temperature  # (tasks, tasks, B, all B)
        own = get_rank() * batch + torch.arange(batch, device=logits.device)
        return -logits.log_softmax(-1)[..., torch.arange(batch, device=logits.device), own].mean(-1)


class BankContrast(TaskContrast):
    """Noise-contrastive estimation against memory banks: per task, a running embedding of each training image.

    An image's embedding by one task is told from noise (uniform among the training images) by its score with the
    other task's bank, exp(cosine / temperature) / Z. Z is estimated per pair of tasks from the first batch and stays.
    Banks, Z and the state of the draws are buffers: checkpoints hold them. All ranks write what all saw, so their banks
    stay equal, and draw from one stream, so that several ranks are told apart from the noise of one process.

    Args:
        tasks: Task keys, at least two.
        in_channels: Channels of the tasks' maps.
        num_samples: Images of the training set; every index is below.
        num_negatives: Draws of noise K per image.
        channels: Dimensions D of the embedding.
        temperature: What cosines are divided by, above 0.
        momentum: Share of the old entry in the new one, 0 to less than 1.

    Raises:
        ValueError: There are fewer than two tasks, or an argument is out of its range.
    """

    bank: Tensor
    partition: Tensor
    draws: Tensor
    seed: Tensor

    def __init__(
        self,
        *,
        tasks: Sequence[str],
        in_channels: int,
        num_samples: int,
        num_negatives: int,
        channels: int = 128,
        temperature: float = 0.07,
        momentum: float = 0.5,
    ) -> None:
        super().__init__(tasks=tasks, in_channels=in_channels, channels=channels, temperature=temperature)
        at_least(1, num_samples=num_samples, num_negatives=num_negatives)
        if not 0 <= momentum < 1:
            raise ValueError(f'momentum: expected 0 to less than 1, got {momentum}')
        self.num_samples, self.num_negatives, self.momentum = num_samples, num_negatives, momentum
        self.register_buffer('bank', F.normalize(torch.randn(len(tasks), num_samples, channels), dim=-1))
        self.register_buffer('partition', torch.zeros(len(tasks), len(tasks)))  # Z, 0 until it is estimated
        self.register_buffer('draws', torch.zeros(1, dtype=torch.long))
        # Below 2**24: ranks average their buffers as 32-bit floats, integers among them.
        self.register_buffer('seed', torch.randint(2**23, (1,)))

    def compare(self, embedded: Tensor, indices: Sequence[int]) -> Tensor:
        """Return the binary cross-entropy of image against noise, ``(tasks, tasks)``, and update the banks."""
        if min(indices) < 0 or max(indices) >= self.num_samples:
            raise ValueError(
                f'The images {list(indices)} are not all among num_samples={self.num_samples}: set the num_samples of '
                'the contrast to the length of the training set.'
            )
        own = torch.tensor(list(indices), device=embedded.device)  # (B,)
        is_first = not int(self.draws)
        compared = torch.cat([own[:, None], self._draw(own)], dim=1)  # (B, 1 + K)
        cosines = torch.einsum('ibd,jbkd->ijbk', embedded, self.bank[:, compared])
        scores = (cosines / self.temperature).exp()  # (tasks, tasks, B, 1 + K)
        if is_first:
            self._estimate_partition(scores.detach())
        probability = scores / self.partition[..., None, None]
        noise = self.num_negatives / self.num_samples
        of_image = torch.log1p(noise / probability[..., 0])  # -log(p / (p + noise))
        of_noise = torch.log1p(probability[..., 1:] / noise).sum(-1)  # -log(noise / (p + noise))
        self._remember(embedded.detach(), own)
        return (of_image + of_noise).mean(-1)

    def _draw(self, own: Tensor) -> Tensor:
        """Return this rank's draws ``(B, K)``: image b of rank r has row b * ranks + r, as samplers deal images."""
        ranks = get_world_size()
        generator = torch.Generator().manual_seed(int(self.seed + self.draws))
        rows = torch.randint(self.num_samples, (len(own) * ranks, self.num_negatives), generator=generator)
        self.draws += 1
        return rows[get_rank() :: ranks].to(own.device)

    def _estimate_partition(self, scores: Tensor) -> None:
        estimate = scores.mean((2, 3)) * self.num_samples
        all_reduce(estimate, op='mean')
        self.partition.copy_(estimate)

    def _remember(self, embedded: Tensor, own: Tensor) -> None:
        """Move the entries of this batch's images, of all ranks; an image that is there twice by its mean."""
        everyone = torch.cat(all_gather(embedded.contiguous()), dim=1)  # (tasks, all B, D)
        images = torch.cat(all_gather(own))
        same = (images[:, None] == images[None]).to(everyone)  # (all B, all B)
        mean = same @ everyone / same.sum(1)[:, None]
        moved = self.momentum * self.bank[:, images] + (1 - self.momentum) * mean
        self.bank[:, images] = F.normalize(moved, dim=-1)
