import numpy as np
import pytest
import torch

from mtlbox.tasks import SemSeg

TASK = SemSeg(num_classes=4)


def test_decode_takes_the_most_likely_class():
    logits = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))
    decoded = TASK.decode(logits.to(torch.bfloat16))
    assert decoded.dtype == torch.long
    expected = [
        [[max(range(4), key=lambda k: logits.bfloat16()[b, k, y, x]) for x in range(5)] for y in range(3)]
        for b in range(2)
    ]
    assert decoded[:, 0].tolist() == expected


@pytest.mark.parametrize('size', [(6, 10), (4, 3), (17, 23)])
def test_resize_invents_no_class(size):
    gt = np.array([[0, 3], [255, 0]], np.uint8).repeat(5, 0).repeat(5, 1)
    assert set(np.unique(TASK.resize(gt, size))) == {0, 3, 255}
    assert set(np.unique(TASK.rotate(gt, 33.0))) == {0, 3, 255}


def test_zoom_changes_no_label():
    gt = np.array([[0, 3]], np.uint8)
    np.testing.assert_array_equal(TASK.resize(gt, (1, 4), 2.0), [[0, 0, 3, 3]])


@pytest.mark.parametrize(
    ('gt', 'message'),
    [
        (np.array([[0, 4, 9]]), r'holds \[4, 9\], but only 0..3 and 255'),
        (np.array([[-1, 3, 255]]), r'holds \[-1\], but'),
        (np.array([[254]], np.uint8), r'holds \[254\]'),
        (np.array([[1.0]]), 'must hold integers, but has dtype float64'),
    ],
)
def test_illegal_labels(gt, message):
    with pytest.raises(ValueError, match=f"img 3: the map of 'semseg' {message}"):
        TASK.check(gt, 'img 3')


def test_legal_labels():
    TASK.check(np.array([[0, 3, 255]], np.uint8), 'here')
    TASK.check(np.array([[255, 255]]), 'here')


def test_constant_is_the_commonest_labelled_class():
    maps = [np.array([[0, 2, 2, 255, 255, 255, 255]], np.uint8), np.array([[0, 2, 1]], np.uint8)]
    np.testing.assert_array_equal(TASK.constant(maps), [2])


def test_draws_ignored_white_and_classes_apart():
    image = TASK.draw(np.array([[0, 1, 2, 3, 255]], np.uint8))
    assert image[0, 4].tolist() == [255, 255, 255]
    assert len({tuple(colour) for colour in image[0].tolist()}) == 5


def test_to_uint16_keeps_the_numbers():
    np.testing.assert_array_equal(TASK.to_uint16(np.array([[0, 3]])), [[0, 3]])


def test_valid():
    assert TASK.valid(torch.tensor([[[[0, 255, 3]]]])).tolist() == [[[True, False, True]]]
