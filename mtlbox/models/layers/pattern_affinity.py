"""Affinity within each task and diffusion along a mix of the tasks' affinities: what PAP-Net does between tasks.

Zhang et al., Pattern-Affinitive Propagation, CVPR 2019, sections 3.2 and 3.3, as re-implemented by CTAL's authors.

With ``x_t`` the normalised features ``(P, C)`` of task t at ``P = H * W`` positions, ``a`` the mixing weights and
``F_t`` the features as they came::

    A_t = x_t x_t^T                                symmetric, (P, P)
    N_t = A_t / (sums of its rows or columns)
    M_t = sum_s a[t, s] N_s
    F  <-  beta M_t F + (1 - beta) F_t             repeated

**Dense** makes the P x P matrices. **Factored** multiplies from the right, ``x_s (x_s^T F)``, and is the same function
exactly, since nothing after the features' normalisation is nonlinear but the division by a vector, whose sums are
``x_s (x_s^T 1)``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def normalise_features(x: Tensor, over: str) -> Tensor:
    """Scale features ``(B, P, C)`` to unit L2 norm, over ``'channels'`` (at each position) or ``'positions'``."""
    return torch.nn.functional.normalize(x, dim=2 if over == 'channels' else 1)


def affinity_sums(x: Tensor) -> Tensor:
    """Row sums of ``x x^T``, ``(B, P, 1)``, which are also its column sums; kept at least 1e-6 away from zero."""
    sums = x @ x.sum(1, keepdim=True).transpose(1, 2)
    return torch.where(sums < 0, sums.clamp(max=-1e-6), sums.clamp(min=1e-6))


def diffuse_dense(
    normalised: Sequence[Tensor], features: Sequence[Tensor], mix: Tensor, *, divide: str, beta: float, iterations: int
) -> list[Tensor]:
    """Diffuse each task's features with the P x P matrices.

    Args:
        normalised: Normalised features x_t of each task, ``(B, P, C)``.
        features: Features F_t of each task, ``(B, P, C')``.
        mix: Weights a, ``(N, N)``, a row per target.
        divide: ``'rows'``: each row of an affinity is divided by its sum; ``'columns'``: each column.
        beta: Share of the diffused features.
        iterations: How often.

    Returns:
        The diffused features of each task, ``(B, P, C')``.
    """
    matrices = []
    for x in normalised:
        sums = affinity_sums(x)
        matrices.append(x @ x.transpose(1, 2) / (sums if divide == 'rows' else sums.transpose(1, 2)))  # (B, P, P)
    diffused = []
    for target, initial in enumerate(features):
        mixed = mix[target, 0] * matrices[0]
        for source, matrix in enumerate(matrices[1:], 1):
            mixed = mixed + mix[target, source] * matrix
        current = initial
        for _ in range(iterations):
            current = beta * (mixed @ current) + (1 - beta) * initial
        diffused.append(current)
    return diffused


def diffuse_factored(
    normalised: Sequence[Tensor], features: Sequence[Tensor], mix: Tensor, *, divide: str, beta: float, iterations: int
) -> list[Tensor]:
    """The same function as :func:`diffuse_dense`, arguments and result included, without any P x P matrix."""
    left, right = [], []
    for x in normalised:
        scaled = x / affinity_sums(x)
        left.append(scaled if divide == 'rows' else x)
        right.append(x if divide == 'rows' else scaled)
    diffused = []
    for target, initial in enumerate(features):
        current = initial
        for _ in range(iterations):
            spread = torch.zeros_like(current)
            for source, (one, other) in enumerate(zip(left, right, strict=True)):
                spread = spread + mix[target, source] * (one @ (other.transpose(1, 2) @ current))
            current = beta * spread + (1 - beta) * initial
        diffused.append(current)
    return diffused
