"""The states of the random generators: taken, put back, and left as they were."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def rng_state() -> dict[str, Any]:
    """Return the states of Python's, NumPy's and torch's global generators as tensors and plain values."""
    version, words, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002 (the global one is what is meant)
    return {
        'python': [version, torch.tensor(words, dtype=torch.int64), gauss],
        'numpy': [torch.as_tensor(np.asarray(keys, dtype=np.int64)), int(position), int(has_gauss), float(cached)],
        'torch': torch.get_rng_state(),
        'cuda': [torch.cuda.get_rng_state()] if torch.cuda.is_available() else [],
    }


def set_rng_state(state: Mapping[str, Any]) -> None:
    """Put back what :func:`rng_state` returned, perhaps in another process."""
    version, words, gauss = state['python']
    random.setstate((version, tuple(words.tolist()), gauss))
    keys, position, has_gauss, cached = state['numpy']
    numpy_state = ('MT19937', keys.cpu().numpy().astype(np.uint32), position, has_gauss, cached)
    np.random.set_state(numpy_state)  # noqa: NPY002 (the global one is what is meant)
    torch.set_rng_state(state['torch'].cpu())
    if state['cuda'] and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'][0].cpu())


@contextmanager
def keep_rng() -> Iterator[dict[str, Any]]:
    """Run a block after which the generators are where they were before it; yields their state."""
    state = rng_state()
    try:
        yield state
    finally:
        set_rng_state(state)
