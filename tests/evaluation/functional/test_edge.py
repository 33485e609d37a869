import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlbox.compat import ensure_torchvision
from mtlbox.evaluation.functional import edge_f1, edge_scores, edge_statistic


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.floats(0.05, 0.9))
def test_against_a_slow_loop(seed, images, threshold):
    rng = np.random.default_rng(seed)
    pred = np.round(rng.random((images, 4, 5)), 1)
    target = np.where(rng.random(pred.shape) < 0.2, -1, np.round(rng.random(pred.shape), 1))
    pairs = [(p >= threshold, t >= threshold) for p, t in zip(pred.ravel(), target.ravel()) if t >= 0]
    total = sum(edge_statistic(p, t, threshold) for p, t in zip(pred, target))
    both = sum(p and t for p, t in pairs)
    sizes = sum(p for p, _ in pairs), sum(t for _, t in pairs)
    if not pairs:
        assert math.isnan(edge_scores(total)['F1'])
        return
    expected = 200 * both / sum(sizes) if sum(sizes) else 0.0
    assert edge_scores(total)['F1'] == pytest.approx(expected)
    assert edge_f1(pred, target, threshold) == pytest.approx(expected)
    assert edge_scores(total)['precision'] == pytest.approx(100 * both / sizes[0] if sizes[0] else 0)
    assert edge_scores(total)['recall'] == pytest.approx(100 * both / sizes[1] if sizes[1] else 0)


def test_against_torchmetrics():
    ensure_torchvision()
    from torchmetrics.classification import BinaryF1Score

    generator = torch.Generator().manual_seed(0)
    pred, target = torch.rand(2, 1, 30, 40, generator=generator)
    expected = float(BinaryF1Score(0.3)(pred, (target >= 0.3).long()))  # it cuts above, not at; no value is 0.3
    assert edge_f1(pred, target, 0.3) == pytest.approx(100 * expected, rel=1e-5)


def test_constants_and_nothing():
    target = np.array([0.0, 0.2, 0.5, -1])
    assert edge_f1(np.zeros(4), target) == 0
    assert edge_f1(np.ones(4), target) == pytest.approx(80)
    assert edge_f1(np.zeros(4), np.zeros(4)) == 0
    assert math.isnan(edge_f1(np.zeros(4), np.full(4, -1.0)))


def test_bad_input():
    with pytest.raises(ValueError, match='the predicted edge strength has 1 of 2 values that are NaN'):
        edge_f1(np.array([math.nan, 1]), np.zeros(2))
    with pytest.raises(ValueError, match='expected equal'):
        edge_f1(np.zeros(2), np.zeros(3))
