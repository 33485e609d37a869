"""What a task writes as integers it reads again."""

from __future__ import annotations

import numpy as np
import pytest

from mtlbox.tasks import Boundary, Depth, Disparity, Normals, SemSeg, Task

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ('task', 'prediction', 'tolerance'),
    [
        (Boundary(), RNG.uniform(0, 1, (4, 5)), 1e-5),
        (Depth(), RNG.uniform(0, 60, (4, 5)), 5.1e-4),
        (Disparity(), RNG.uniform(0, 0.49, (4, 5)), 1e-5),
        (Normals(), RNG.uniform(-1, 1, (4, 5, 3)), 2e-5),
        (SemSeg(num_classes=40), RNG.integers(0, 40, (4, 5)), 0),
    ],
)
def test_integers_go_and_come(task: Task, prediction: np.ndarray, tolerance: float) -> None:
    stored = task.to_uint16(prediction)
    assert stored.dtype == np.uint16
    np.testing.assert_allclose(task.from_integers(stored), prediction, rtol=0, atol=tolerance)


def test_eight_bits() -> None:
    np.testing.assert_allclose(Boundary().from_integers(np.array([[0, 255]], np.uint8)), [[0, 1]])
    np.testing.assert_allclose(
        Normals().from_integers(np.array([[[0, 255, 51]]], np.uint8)), [[[-1, 1, -0.6]]], atol=1e-6
    )
    with pytest.raises(ValueError, match="unit of 'depth' in uint8 is not known"):
        Depth().from_integers(np.zeros((1, 1), np.uint8))


def test_other_integers_have_no_scale() -> None:
    with pytest.raises(ValueError, match="'normals' in int64: only uint8 and uint16"):
        Normals().from_integers(np.zeros((1, 1, 3), np.int64))
