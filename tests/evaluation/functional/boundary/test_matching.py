import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from mtlbox.evaluation.functional.boundary import matching as module
from mtlbox.evaluation.functional.boundary.matching import PixelMatcher


def distances(pred, truth):
    return np.linalg.norm(np.argwhere(pred)[:, None] - np.argwhere(truth)[None], axis=2)


def check(matching, pred, truth, distance):
    """One to one, within the distance, and of the cardinality that scipy's Hopcroft-Karp finds."""
    between = distances(pred, truth)
    assert matching.pred.shape == (pred.sum(),) and matching.truth.shape == (truth.sum(),)
    matched = np.flatnonzero(matching.pred >= 0)
    np.testing.assert_array_equal(matching.truth[matching.pred[matched]], matched)
    assert (matching.truth >= 0).sum() == matched.size
    assert (between[matched, matching.pred[matched]] <= distance).all()
    if between.size:
        exact = maximum_bipartite_matching(csr_matrix(between <= distance), perm_type='column')
        assert matched.size == (exact >= 0).sum()


@st.composite
def pairs(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    shape = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    share = st.sampled_from([0.0, 0.05, 0.2, 0.5, 1.0])
    return tuple(rng.random(shape) < draw(share) for _ in range(2)), draw(st.floats(0.0, 5.0))


@settings(max_examples=200, deadline=None)
@given(pairs())
def test_cardinality_is_the_largest(case):
    (pred, truth), distance = case
    check(PixelMatcher(truth, distance).match(pred), pred, truth, distance)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(1.0, 4.0))
def test_cardinality_is_that_of_the_assignment_of_the_benchmark(seed, distance):
    """The assignment in which a pixel that is left out costs 100 times the largest distance."""
    rng = np.random.default_rng(seed)
    pred, truth = rng.random((2, 9, 9)) < 0.25
    between = distances(pred, truth)
    p, t = between.shape
    cost = np.full((p + t, t + p), 1e9)
    cost[:p, :t] = np.where(between <= distance, between, 1e9)
    cost[:p, t:][np.eye(p, dtype=bool)] = cost[p:, :t][np.eye(t, dtype=bool)] = 100 * distance
    cost[p:, t:] = 0
    rows, columns = linear_sum_assignment(cost)
    expected = ((rows < p) & (columns < t)).sum()
    assert (PixelMatcher(truth, distance).match(pred).pred >= 0).sum() == expected


def test_one_matcher_for_many_predictions():
    rng = np.random.default_rng(3)
    truth = rng.random((30, 40)) < 0.1
    matcher = PixelMatcher(truth, 2.5)
    for share in (0.02, 0.1, 0.4):
        pred = rng.random(truth.shape) < share
        check(matcher.match(pred), pred, truth, 2.5)


def test_chunks_do_not_matter(monkeypatch):
    rng = np.random.default_rng(4)
    pred, truth = rng.random((2, 40, 40)) < 0.3
    whole = PixelMatcher(truth, 3.0).match(pred)
    monkeypatch.setattr(module, '_CHUNK', 50)
    parts = PixelMatcher(truth, 3.0).match(pred)
    np.testing.assert_array_equal(whole.pred, parts.pred)


def test_greedy_alone_would_leave_one_out():
    # the nearest pair takes what the other prediction needs
    pred, truth = np.zeros((2, 1, 8), dtype=bool)
    pred[0, [2, 5]], truth[0, [0, 3]] = True, True
    matching = PixelMatcher(truth, 2.0).match(pred)
    assert matching.pred.tolist() == [0, 1]


def test_ties_go_to_the_nearer():
    pred, truth = np.zeros((2, 5, 9), dtype=bool)
    pred[2, 4], truth[2, [1, 6]] = True, True
    assert PixelMatcher(truth, 4.0).match(pred).truth.tolist() == [-1, 0]


@pytest.mark.parametrize(('distance', 'expected'), [(4.99, 0), (5.0, 1)])
def test_the_distance_is_inclusive(distance, expected):
    pred, truth = np.zeros((2, 4, 5), dtype=bool)
    pred[0, 0], truth[3, 4] = True, True
    assert (PixelMatcher(truth, distance).match(pred).pred >= 0).sum() == expected


def test_rows_do_not_wrap():
    pred, truth = np.zeros((2, 3, 6), dtype=bool)
    pred[0, 5], truth[1, 0] = True, True
    assert (PixelMatcher(truth, 2.0).match(pred).pred < 0).all()
