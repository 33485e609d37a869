"""What the pure metric functions share: arrays in, checked double precision out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

Array = np.ndarray | torch.Tensor
"""What the functions of this package accept for maps."""


def to_numpy(values: Any) -> np.ndarray:
    """Return ``values`` (tensor on any device and of any dtype, array, or nested list) as a NumPy array."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        return (values.double() if values.is_floating_point() else values).numpy()
    return np.asarray(values)


def finite_double(values: Any, what: str) -> np.ndarray:
    """Return ``values`` in double precision.

    Args:
        values: A map of any shape.
        what: What the map is, for the message ('the predicted depth').

    Raises:
        ValueError: If a value is NaN or infinite.
    """
    array = to_numpy(values).astype(np.float64, copy=False)
    bad = array.size - int(np.isfinite(array).sum())
    if bad:
        raise ValueError(f'{what} has {bad} of {array.size} values that are NaN or infinite; expected finite numbers')
    return array


def same_shape(pred: np.ndarray, target: np.ndarray) -> None:
    """Raise a ValueError unless prediction and ground truth have one shape."""
    if pred.shape != target.shape:
        raise ValueError(
            f'the prediction has shape {pred.shape} and the ground truth {target.shape}: expected equal ones'
        )
