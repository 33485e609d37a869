"""Activation checkpointing that leaves the statistics of batch norms as one forward pass makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mtlbox.compat import is_compiling


def recompute(module: nn.Module, function: Callable[..., Tensor], *inputs: Tensor, enabled: bool = True) -> Tensor:
    """Return ``function(*inputs)``; what it computes is computed again in the backward pass, not kept until then.

    Where it is not ``enabled``, or no input requires a gradient, the function is only called.

    Args:
        module: Holds every batch norm that ``function`` runs.
        function: What to run, ``module`` itself or a method of it.
        inputs: Its arguments.
        enabled: Whether to trade the time for memory.
    """
    if not enabled or not torch.is_grad_enabled() or not any(x.requires_grad for x in inputs):
        return function(*inputs)
    if is_compiling():  # a compiled graph takes no context of its own
        return checkpoint(function, *inputs, use_reentrant=False)
    contexts = partial(_contexts, module)
    return checkpoint(function, *inputs, use_reentrant=False, context_fn=contexts)


def _contexts(module: nn.Module) -> tuple:
    return nullcontext(), _frozen_statistics(module)


@contextmanager
def _frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Leave the running statistics of batch normalisation as they are while activations are recomputed."""
    norms = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
    saved = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    try:
        for norm in norms:
            norm.momentum, norm.num_batches_tracked = 0.0, None
        yield
    finally:
        for norm, (momentum, num_batches_tracked) in zip(norms, saved):
            norm.momentum, norm.num_batches_tracked = momentum, num_batches_tracked
