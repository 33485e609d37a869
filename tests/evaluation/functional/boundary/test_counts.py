import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching
from skimage.morphology import thin

from mtlbox.evaluation.functional import boundary_counts
from mtlbox.evaluation.functional.boundary.counts import segment_boundaries


def largest_matching(pred, truth, distance):
    between = np.linalg.norm(np.argwhere(pred)[:, None] - np.argwhere(truth)[None], axis=2)
    if not between.size:
        return 0
    return (maximum_bipartite_matching(csr_matrix(between <= distance), perm_type='column') >= 0).sum()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.05, 0.1]), st.booleans(), st.booleans())
def test_one_annotator_against_scipy_and_scikit_image(seed, max_distance, thin_truth, ignore):
    rng = np.random.default_rng(seed)
    pred = rng.random((17, 23)) * (rng.random((17, 23)) < 0.5)
    truth = (rng.random((17, 23)) < 0.3).astype(np.uint8)
    if ignore:
        truth[:, 12:] = 255
    thresholds = [0.1, 0.4, 0.7]
    counts = boundary_counts(pred, truth, thresholds, max_distance, nms_radius=None, thin_truth=thin_truth)
    true = thin(truth == 1) if thin_truth else truth == 1
    for row, threshold in zip(counts, thresholds):
        binary = thin((np.round(pred * 255) / 255 >= threshold) & (truth != 255))
        matched = largest_matching(binary, true, max_distance * np.hypot(17, 23))
        assert row.tolist() == [matched, true.sum(), matched, binary.sum()]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_annotators_are_pooled(seed):
    """Recall adds up over annotators; precision counts what any of them matches."""
    rng = np.random.default_rng(seed)
    pred = rng.random((15, 15)) * (rng.random((15, 15)) < 0.3)
    truth = (rng.random((3, 15, 15)) < 0.15).astype(np.uint8)
    options = {'max_distance': 0.08, 'nms_radius': None, 'thin_truth': False}
    each = [boundary_counts(pred, one, [0.2, 0.6], **options) for one in truth]
    together = boundary_counts(pred, truth, [0.2, 0.6], **options)
    np.testing.assert_array_equal(together[:, :2], sum(each)[:, :2])
    np.testing.assert_array_equal(together[:, 3], each[0][:, 3])
    assert (together[:, 2] >= np.max([one[:, 2] for one in each], axis=0)).all()
    assert (together[:, 2] <= np.minimum(sum(each)[:, 2], together[:, 3])).all()


def test_two_annotators_who_agree_count_once_for_precision():
    truth = np.zeros((2, 20, 20), dtype=np.uint8)
    truth[:, 5] = 1
    counts = boundary_counts(truth[0].astype(float), truth, [0.5], nms_radius=None)
    assert counts.tolist() == [[40, 40, 20, 20]]


def test_a_perfect_prediction_matches_all_under_suppression_too():
    truth = np.zeros((40, 50), dtype=np.uint8)
    truth[20, 8:40] = truth[8:30, 25] = 1
    counts = boundary_counts(truth.astype(float), truth, [0.3, 0.9], nms_radius=1)
    assert (counts[:, 0] == counts[:, 1]).all() and (counts[:, 2] == counts[:, 3]).all() and counts.all()


@pytest.mark.parametrize('value', [0.0, 0.5, 1.0])
@pytest.mark.parametrize('nms_radius', [None, 1])
def test_constant_predictions(value, nms_radius):
    truth = np.zeros((20, 30), dtype=np.uint8)
    truth[10] = 1
    counts = boundary_counts(np.full((20, 30), value), truth, [0.25, 0.75], nms_radius=nms_radius)
    assert (counts[:, 1] == 30).all()
    assert (counts[:, 3] > 0).tolist() == [value > 0, value == 1]
    assert (counts[:, 2] <= counts[:, 3]).all()


def test_empty_truth_and_all_ignored():
    pred = np.random.default_rng(0).random((12, 12))
    empty = boundary_counts(pred, np.zeros((12, 12)), [0.5])
    assert empty[0, :3].tolist() == [0, 0, 0] and empty[0, 3] > 0
    assert not boundary_counts(pred, np.full((12, 12), 255), [0.1, 0.5]).any()


def test_tensors_of_the_toolbox_and_arrays_are_the_same():
    rng = np.random.default_rng(1)
    pred, truth = rng.random((12, 14)).astype(np.float32), (rng.random((12, 14)) < 0.2).astype(np.float32)
    expected = boundary_counts(pred, truth, [0.3, 0.6], 0.1)
    np.testing.assert_array_equal(
        boundary_counts(torch.from_numpy(pred)[None], torch.from_numpy(truth)[None], [0.3, 0.6], 0.1), expected
    )


def test_thresholds_are_inclusive_after_rounding_to_8_bits():
    pred = np.zeros((8, 8))
    pred[4, 4] = 50.6 / 255  # rounds to 51 / 255, which is 0.2
    truth = np.zeros((8, 8))
    assert boundary_counts(pred, truth, [0.2, 0.201], nms_radius=None)[:, 3].tolist() == [1, 0]


def test_segment_boundaries_are_up_and_left_of_the_line():
    line = np.zeros((7, 9), dtype=bool)
    line[:, 4] = True
    drawn = segment_boundaries(line)
    assert drawn.any(0).nonzero()[0].tolist() == [3, 4]
    assert segment_boundaries(line.T).any(1).nonzero()[0].tolist() == [3, 4]
    assert not segment_boundaries(np.ones((3, 3), dtype=bool)).any()
    thinned = boundary_counts(line * 1.0, line, [0.5], nms_radius=None, resegment_truth=True)
    assert 6 <= thinned[0, 1] <= 7  # one pixel wide again


@pytest.mark.parametrize(
    ('pred', 'truth', 'message'),
    [
        (np.full((4, 4), np.nan), np.zeros((4, 4)), 'the predicted boundary has 16 of 16 values that are NaN'),
        (np.full((4, 4), 2.0), np.zeros((4, 4)), 'values from 2 to 2; expected probabilities'),
        (np.zeros((4, 4)), np.full((4, 4), 7), 'the true boundary has the value 7; expected 0, 1 or 255'),
        (np.zeros((4, 4)), np.zeros((4, 5)), r'shape \(4, 4\) and the true one \(1, 4, 5\)'),
        (np.zeros((2, 4, 4)), np.zeros((4, 4)), r'shape \(2, 4, 4\)'),
    ],
)
def test_bad_input(pred, truth, message):
    with pytest.raises(ValueError, match=message):
        boundary_counts(pred, truth, [0.5])
