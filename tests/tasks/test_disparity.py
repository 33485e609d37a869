import numpy as np
import pytest
import torch

from mtlbox.evaluation import DepthMetric, DisparityMetric
from mtlbox.tasks import Depth, Disparity, build_tasks

TASK = Disparity()


def test_zoom_multiplies_disparity_and_keeps_unknown():
    gt = np.float32([[0.1, 0.2], [0, 0.04]])
    np.testing.assert_allclose(TASK.resize(gt, (2, 2), 2.0), [[0.2, 0.4], [0, 0.08]])
    assert TASK.resize(gt, (2, 2), 2.0).dtype == np.float32
    assert set(np.unique(TASK.resize(gt, (5, 7)))) == set(np.unique(gt))


def test_is_the_inverse_of_depth_under_a_zoom():
    depth = np.float32([[2, 4]])
    zoomed = Depth().resize(depth, (1, 2), 2.0)
    np.testing.assert_allclose(TASK.resize(1 / depth, (1, 2), 2.0), 1 / zoomed)


def test_negative():
    with pytest.raises(ValueError, match=r'holds negative disparities \(down to -0.5 of full scale\)'):
        TASK.check(np.float32([[1, -0.5]]), 'here')


def test_draws_near_red_far_blue_unknown_black():
    red, _, blue = TASK.draw(np.float32([[0.4, 0.05, 0]]))[0].T.astype(int)
    assert red[0] > blue[0] + 50 and blue[1] > red[1]
    assert red[2] == blue[2] == 0


def test_to_uint16_is_shares_of_full_scale():
    assert TASK.to_uint16(np.float32([[-1, 0, 0.5, 1, 2]])).tolist() == [[0, 0, 32768, 65535, 65535]]


def test_zero_is_unknown_and_the_key_is_its_own():
    assert TASK.valid(torch.tensor([[[[0.0, 0.1]]]])).tolist() == [[[False, True]]]
    assert list(build_tasks({'disparity': {'type': 'Disparity'}})) == [TASK.key]


def test_scores_of_disparity_and_depth_are_kept_apart():
    assert "reads maps in the unit 'm'" in DepthMetric.misfit(TASK)
    assert "the unit of a Depth is 'm'" in DisparityMetric.misfit(Depth())
    assert DepthMetric.misfit(Depth()) == DisparityMetric.misfit(TASK) == ''
    with pytest.raises(ValueError, match=r"is in metres, which disparities are not\. Take 'pixel-pooled'"):
        DisparityMetric(task='disparity', protocol='pixel-pooled/0-80')
