import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlbox.evaluation.functional import boundary_curve, boundary_scores


def slow_f(row):
    matched_truth, truth, matched_pred, pred = row
    recall = matched_truth / truth if truth else 0.0
    precision = matched_pred / pred if pred else 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0, precision, recall


@st.composite
def counts_of_images(draw):
    """(N, T, 4) legal counts with fewer and fewer predictions."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    images, thresholds = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    pred = -np.sort(-rng.integers(0, 60, (images, thresholds)), axis=1)
    truth = np.repeat(rng.integers(0, 40, (images, 1)), thresholds, axis=1)
    matched = rng.integers(0, 1 + np.minimum(pred, truth))
    return np.stack([matched, truth, matched, pred], axis=2).astype(float)


@settings(max_examples=150, deadline=None)
@given(counts_of_images())
def test_against_a_slow_loop(counts):
    scores = boundary_scores(counts)
    if not counts[..., [1, 3]].any():
        assert all(math.isnan(value) for value in scores.values())
        return
    pooled = [[sum(image[t][c] for image in counts) for c in range(4)] for t in range(counts.shape[1])]
    f = max(slow_f(row)[0] for row in pooled)
    assert scores['odsF'] == pytest.approx(100 * f)
    if f:
        assert slow_f([scores['odsR'], 100, scores['odsP'], 100])[0] == pytest.approx(f)
    own = [max(image.tolist(), key=lambda row: slow_f(row)[0]) for image in counts]
    assert scores['oisF'] == pytest.approx(100 * slow_f([sum(column) for column in zip(*own)])[0])


@settings(max_examples=50, deadline=None)
@given(counts_of_images())
def test_between_thresholds_is_at_least_as_good(counts):
    plain, between = boundary_scores(counts), boundary_scores(counts, interpolate=True)
    if not math.isnan(plain['odsF']):
        assert between['odsF'] >= plain['odsF'] - 1e-9
        assert (between['oisF'], between['AP']) == (plain['oisF'], plain['AP'])


def test_average_precision_is_the_area_under_the_curve():
    # precision falls from 1 at recall 0 to 0.5 at recall 1: area 0.75
    recall = np.linspace(1, 0, 21)
    precision = 1 - recall / 2
    counts = np.stack([recall * 1e6, np.full(21, 1e6), precision * 1e6, np.full(21, 1e6)], axis=1)
    assert boundary_scores(counts[None])['AP'] == pytest.approx(75.75, abs=0.01)  # 101 samples over 100
    np.testing.assert_allclose(boundary_curve(counts).precision, precision)


def test_one_recall_has_no_area():
    assert boundary_scores(np.full((1, 3, 4), 5.0))['AP'] == 0


def test_nothing_predicted_is_zero_and_nothing_at_all_is_nan():
    assert boundary_scores(np.array([[[0.0, 9, 0, 0]]]))['odsF'] == 0
    assert boundary_scores(np.array([[[0.0, 0, 0, 9]]]))['odsF'] == 0
    assert all(math.isnan(value) for value in boundary_scores(np.zeros((2, 3, 4))).values())


@pytest.mark.parametrize('shape', [(3, 4), (2, 3, 5), (0, 3, 4)])
def test_bad_shape(shape):
    with pytest.raises(ValueError, match='expected \\(images, thresholds, 4\\)'):
        boundary_scores(np.zeros(shape))
