import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mtlbox.evaluation.functional import angular_error, normal_errors, normal_scores, normal_statistic
from mtlbox.evaluation.functional.normals import BIN_WIDTH


def turned(angles, seed):
    """True vectors (3, N), and predictions (3, N) of any length that are off by ``angles`` (N,) degrees."""
    rng = np.random.default_rng(seed)
    target = rng.normal(size=(angles.size, 3))
    target /= np.linalg.norm(target, axis=1, keepdims=True)
    axis = np.cross(target, rng.normal(size=target.shape))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    pred = Rotation.from_rotvec(np.radians(angles)[:, None] * axis).apply(target)
    return (pred * rng.uniform(0.2, 5, size=(angles.size, 1))).T, target.T


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.0, 180.0), min_size=1, max_size=30), st.integers(0, 1000), st.sampled_from(['atan2', 'arccos'])
)
def test_recovers_known_angles(angles, seed, angle):
    angles = np.array(angles)
    pred, target = turned(angles, seed)
    tolerance = 1e-6 if angle == 'atan2' else 1e-5
    np.testing.assert_allclose(angular_error(pred, target, angle), angles, atol=tolerance)
    scores = normal_errors(pred, target, angle)
    assert scores['mErr'] == pytest.approx(angles.mean(), abs=tolerance)
    assert scores['median'] == pytest.approx(np.median(angles), abs=tolerance)
    assert scores['rmse'] == pytest.approx(np.sqrt((angles**2).mean()), abs=tolerance)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.0, 180.0), min_size=2, max_size=30), st.integers(1, 29), st.integers(0, 1000))
def test_streamed_scores_equal_those_of_all_pixels(angles, cut, seed):
    pred, target = turned(np.array(angles), seed)
    streamed = normal_scores(
        normal_statistic(pred[:, :cut], target[:, :cut]) + normal_statistic(pred[:, cut:], target[:, cut:])
    )
    exact = normal_errors(pred, target)
    assert streamed.pop('median') == pytest.approx(exact.pop('median'), abs=BIN_WIDTH)
    assert streamed == pytest.approx(exact)


def test_streaming_median_of_many_pixels_is_far_better_than_its_bins():
    angles = np.random.default_rng(0).gamma(2.0, 10.0, size=40_000).clip(0, 180)
    pred, target = turned(angles, 0)
    assert normal_scores(normal_statistic(pred, target))['median'] == pytest.approx(np.median(angles), abs=0.005)


def test_shares():
    pred, target = turned(np.array([5.0, 11.0, 12.0, 22.0, 23.0, 29.0, 31.0, 170.0]), 3)
    scores = normal_scores(normal_statistic(pred, target))
    assert (scores['11.25'], scores['22.5'], scores['30']) == (25.0, 50.0, 75.0)


def test_atan2_is_accurate_where_arccos_is_not():
    tiny = np.full(50, 1e-7)
    pred, target = turned(tiny, 5)
    np.testing.assert_allclose(angular_error(pred, target, 'atan2'), tiny, rtol=1e-6)
    assert np.abs(angular_error(pred, target, 'arccos') - tiny).max() > 1e-8


def test_zero_truth_is_invalid_and_zero_prediction_is_90_degrees_off():
    target = np.array([[0, 0, -1.0], [0, 0, 0]]).T  # (3, 2)
    for angle in ('atan2', 'arccos'):
        np.testing.assert_allclose(angular_error(np.zeros((3, 2)), target, angle), [90.0])
    assert not np.array(normal_statistic(np.ones((3, 2)), np.zeros((3, 2)))).any()
    assert np.isnan(list(normal_scores(normal_statistic(np.ones((3, 2)), np.zeros((3, 2)))).values())).all()
    assert np.isnan(list(normal_errors(np.ones((3, 2)), np.zeros((3, 2))).values())).all()


def test_channel_axis_and_tensors():
    pred, target = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    first = normal_errors(torch.from_numpy(pred), torch.from_numpy(target))
    assert normal_errors(pred.transpose(1, 2, 0), target.transpose(1, 2, 0), channel_axis=-1) == pytest.approx(first)


def test_opposite_vectors_fall_into_the_last_bin():
    target = np.array([[0.0], [0.0], [1.0]])
    assert normal_scores(normal_statistic(-target, target))['median'] == pytest.approx(180, abs=BIN_WIDTH)


@pytest.mark.parametrize(
    ('pred', 'target', 'kwargs', 'message'),
    [
        (np.full((3, 2), np.nan), np.ones((3, 2)), {}, 'the predicted normals has 6 of 6 values'),
        (np.ones((3, 2)), np.ones((3, 2)), {'angle': 'acos'}, "angle='acos'"),
        (np.ones((4, 3)), np.ones((4, 3)), {}, r'shape \(4, 3\): expected 3 components along axis 0'),
        (np.ones((3, 3)), np.ones((3, 2)), {}, 'expected equal'),
    ],
)
def test_bad_input(pred, target, kwargs, message):
    with pytest.raises(ValueError, match=message):
        normal_errors(pred, target, **kwargs)
