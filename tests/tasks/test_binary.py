import numpy as np
import pytest
import torch

from mtlbox.tasks import Boundary, Saliency


def test_one_channel_is_read_by_a_sigmoid():
    logits = torch.tensor([[[[-2.0, 0.0, 3.0]]]])
    expected = 1 / (1 + np.exp([2.0, 0.0, -3.0]))
    for task in (Boundary(), Saliency()):
        assert task.channels == 1
        np.testing.assert_allclose(task.decode(logits)[0, 0, 0], expected, rtol=1e-6)


def test_two_channels_are_read_by_a_softmax():
    logits = torch.tensor([1.0, 3.0]).view(1, 2, 1, 1)
    np.testing.assert_allclose(
        Saliency(channels=2).decode(logits).item(), np.exp(3) / (np.exp(1) + np.exp(3)), rtol=1e-6
    )


@pytest.mark.parametrize('dtype', [np.uint8, np.int64, np.float32])
def test_legal_types_pack_to_floats(dtype):
    gt = np.array([[0, 1, 255]], dtype)
    Saliency().check(gt, 'here')
    packed = Saliency().pack(gt)
    assert packed.dtype == (torch.uint8 if dtype == np.uint8 else torch.float32)
    assert Saliency().widen(packed).dtype == torch.float32 and packed.tolist() == [[[0, 1, 255]]]
    assert Saliency().valid(packed[None]).tolist() == [[[True, True, False]]]


@pytest.mark.parametrize('value', [0.5, 2, -1, 254])
def test_other_values(value):
    with pytest.raises(ValueError, match=rf"img 1: the map of 'boundary' holds \[{value:.1f}\], but only 0, 1 and 255"):
        Boundary().check(np.float32([[0, 1, value]]), 'img 1')


def test_thin_boundaries_stay_binary():
    gt = np.zeros((16, 16), np.float32)
    gt[:, 7] = 1
    for moved in (Boundary().resize(gt, (23, 31)), Boundary().rotate(gt, 30.0)):
        assert set(np.unique(moved)) <= {0, 1, 255} and (moved == 1).any()


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_boundaries_that_are_stored_smaller_or_larger_keep_every_line(dtype):
    gt = np.zeros((24, 30), dtype)
    gt[:, 7] = gt[13, :20] = 1
    gt[18:, 24:] = 255
    before = gt.copy()
    for size in ((12, 15), (8, 10), (48, 60)):
        stored = Boundary().rescale(gt, size)
        rows, columns = size[0] / 24, size[1] / 30
        assert stored.dtype == dtype and stored.shape == size
        lines = stored[: int(18 * rows), : int(24 * columns)]
        assert (lines[1 : int(12 * rows)].sum(1) == 1).all(), 'one pixel wide'
        assert lines[1:].any(1).all() and lines[:, 1 : int(20 * columns) - 1].any(0).all(), 'up to the ends'
        assert (stored == 255).sum() == round(36 * rows * columns)
        Boundary().check(stored, 'stored')
    np.testing.assert_array_equal(gt, before)
    assert Boundary().rescale(gt, (24, 30)) is gt
    assert not (Boundary().resize(gt, (12, 15)) == 1).any(0)[:3].any(), 'nearest neighbours miss them'


def test_draws_probability_as_grey():
    assert Saliency().draw(np.float32([[0, 1, 255, 0.5]]))[0, :, 0].tolist() == [0, 255, 127, 127]


def test_to_uint16():
    np.testing.assert_array_equal(Saliency().to_uint16(np.float32([[0, 0.5, 1]])), [[0, 32768, 65535]])


def test_constant_is_the_share_of_ones():
    np.testing.assert_allclose(Boundary().constant([np.float32([[0, 1, 255, 0, 0]])]), [0.25])


def test_a_picture_of_black_and_white_is_doubted():
    task = Saliency()
    assert '255 meant for 1' in task.doubt(np.array([[0, 255]], np.uint8))
    for fine in ([[0, 1, 255]], [[0, 0]], [[1, 255]], [[255, 255]]):
        assert task.doubt(np.array(fine, np.uint8)) == ''
