import numpy as np
import pytest

from mtlbox.tasks import HumanParts

TASK = HumanParts()


@pytest.fixture
def gt():
    gt = np.zeros((6, 8), np.uint8)
    gt[1:3, 5:7] = 4
    gt[5, 0] = 255
    return gt


def test_crop_with_a_person_is_cut(gt):
    np.testing.assert_array_equal(TASK.crop(gt, 0, 4, 3, 3), gt[0:3, 4:7])


@pytest.mark.parametrize('window', [(3, 0, 3, 8), (0, 0, 6, 5)])
def test_crop_without_a_person_is_ignored(gt, window):
    cut = TASK.crop(gt, *window)
    assert cut.shape == window[2:]
    assert (cut == 255).all()


def test_the_whole_is_left_alone(gt):
    before = gt.copy()
    TASK.crop(gt, 3, 0, 3, 8)
    np.testing.assert_array_equal(gt, before)


def test_has_seven_classes():
    assert TASK.channels == 7
    with pytest.raises(ValueError, match=r'holds \[7\], but only 0..6'):
        TASK.check(np.full((2, 2), 7, np.uint8), 'here')


def test_a_person_that_turns_out_of_the_picture_or_shrinks_to_nothing_is_ignored():
    gt = np.zeros((5, 41), np.uint8)
    gt[2, 40] = 4
    assert (TASK.rotate(gt, 90) == 255).all()
    for zoom in (0.1, 1.0):
        assert (TASK.resize(gt, (3, 4), zoom) == 255).all()
    assert (TASK.resample(gt, (3, 4)) == 0).all(), 'a prediction may have no person'
    assert set(np.unique(TASK.rotate(gt, 0))) == {0, 4} == set(np.unique(TASK.resize(gt, (5, 82))))
