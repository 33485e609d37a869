"""What the pure metric functions share: arrays in, checked double precision out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

POOLINGS = ('image', 'pixel')
"""Ways to average over a data set: scores of images, or counts and errors of pixels."""

Array = np.ndarray | torch.Tensor
"""What the functions of this package accept for maps."""

ROUNDING = 1e-5
"""How far beyond 0..1 a probability may be; resampling in single precision can leave that range a little."""


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


def probabilities(values: Any, what: str) -> np.ndarray:
    """Return ``values`` in double precision.

    Args:
        values: A map of any shape.
        what: What the map is, for the message ('the predicted saliency').

    Raises:
        ValueError: If a value is NaN or outside 0..1.
    """
    array = finite_double(values, what)
    if array.size and (array.min() < -ROUNDING or array.max() > 1 + ROUNDING):
        raise ValueError(
            f'{what} has values from {array.min():g} to {array.max():g}; expected probabilities from 0 to 1'
        )
    return np.clip(array, 0.0, 1.0)


def binary_truth(
    values: Any, what: str, shape: tuple[int, ...] | None = None, ignore_index: int = 255
) -> tuple[np.ndarray, np.ndarray]:
    """Return which pixels are 1, and which count.

    Args:
        values: A map of 0, 1 and ``ignore_index``.
        what: What the map is, for the message ('the true saliency').
        shape: Shape of the prediction that it is for; None for any.
        ignore_index: Value of the pixels that do not count.

    Returns:
        Two bool arrays of the map's shape.

    Raises:
        ValueError: If there is another value, or another shape.
    """
    array = to_numpy(values)
    if shape is not None and array.shape != shape:
        raise ValueError(f'the prediction has shape {shape} and the ground truth {array.shape}: expected equal ones')
    counted = array != ignore_index
    wrong = array[counted & (array != 0) & (array != 1)]
    if wrong.size:
        raise ValueError(f'{what} has the value {wrong[0]}; expected 0, 1 or {ignore_index} (ignored)')
    return array == 1, counted


def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``part / whole``, 0 where there is nothing."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def check_pooling(pooling: str) -> None:
    """Raise ValueError for an unknown way to average."""
    if pooling not in POOLINGS:
        raise ValueError(f'pooling={pooling!r}: expected one of {POOLINGS}')
