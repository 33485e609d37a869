import numpy as np
import pytest
import torch

from mtlbox.tasks import Depth

TASK = Depth()


def test_zoom_divides_depth_and_keeps_unknown():
    gt = np.float32([[1, 2], [0, 8]])
    np.testing.assert_array_equal(TASK.resize(gt, (2, 2), 2.0), [[0.5, 1], [0, 4]])
    np.testing.assert_array_equal(TASK.resize(gt, (4, 2), 0.5), [[2, 4], [2, 4], [0, 16], [0, 16]])
    assert TASK.resize(gt, (2, 2), 2.0).dtype == np.float32


def test_resolution_alone_changes_no_depth():
    gt = np.float32([[1, 2], [0, 8]])
    assert set(np.unique(TASK.resize(gt, (5, 7)))) == {0, 1, 2, 8}


def test_mixes_no_depths_across_edges():
    gt = np.float32([[1, 9], [0, 9]]).repeat(6, 0).repeat(6, 1)
    assert set(np.unique(TASK.rotate(gt, 20.0))) == {0, 1, 9}


def test_zero_is_unknown():
    assert TASK.valid(torch.tensor([[[[0.0, 0.1]]]])).tolist() == [[[False, True]]]


def test_negative():
    with pytest.raises(ValueError, match=r"scene 2: the map of 'depth' holds negative depths \(down to -3 m\)"):
        TASK.check(np.float32([[1, -3]]), 'scene 2')


def test_millimetres_as_integers_are_refused():
    with pytest.raises(ValueError, match="'depth' must hold floats, but has dtype uint16"):
        TASK.check(np.full((2, 2), 1500, np.uint16), 'here')


def test_decode_is_the_identity():
    logits = torch.randn(1, 1, 2, 2)
    assert TASK.decode(logits).equal(logits)


def test_draws_near_red_far_blue_unknown_black():
    red, _, blue = TASK.draw(np.float32([[1, 5, 0]]))[0].T.astype(int)
    assert red[0] > blue[0] + 50 and blue[1] > red[1]
    assert red[2] == blue[2] == 0


def test_draws_in_the_range_of_the_reference():
    reference = np.float32([[1, 5]])
    np.testing.assert_array_equal(
        TASK.draw(np.float32([[1, 5]]), reference), TASK.draw(np.float32([[0.5, 9]]), reference)
    )
    assert not np.array_equal(TASK.draw(np.float32([[1, 5]])), TASK.draw(np.float32([[1, 5]]), np.float32([[1, 50]])))


def test_to_uint16_is_millimetres():
    np.testing.assert_array_equal(TASK.to_uint16(np.float32([[0, 1.25, 70, -1]])), [[0, 1250, 65535, 0]])
