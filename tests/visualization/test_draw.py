from __future__ import annotations

import numpy as np
import pytest

from mtlbox.tasks import build_tasks
from mtlbox.visualization import draw_tasks, stack_pictures

TASKS = build_tasks({'semseg': {'type': 'SemSeg', 'num_classes': 13}, 'depth': {'type': 'Depth'}})
CAPTION, GAP = 24, 4


def panel(picture: np.ndarray, row: int, column: int, size: tuple[int, int]) -> np.ndarray:
    """Return the inside of a panel, without its caption."""
    top, left = row * (size[0] + CAPTION + GAP) + CAPTION, column * (size[1] + GAP)
    return picture[top : top + size[0], left : left + size[1]]


def test_panels_are_where_they_belong() -> None:
    image = np.zeros((150, 200, 3), dtype=np.uint8)
    image[..., 1] = 200
    prediction = {
        'semseg': np.full((150, 200), 3),
        'depth': np.tile(np.linspace(1, 5, 200, dtype=np.float32), (150, 1)),
    }
    truth = {'semseg': np.full((150, 200), 4), 'depth': np.full((150, 200), 2, dtype=np.float32)}
    drawn = draw_tasks(image, {'prediction': prediction, 'truth': truth}, TASKS)
    assert drawn.dtype == np.uint8
    assert drawn.shape == (2 * (150 + CAPTION) + GAP, 3 * 200 + 2 * GAP, 3)
    np.testing.assert_array_equal(panel(drawn, 0, 0, (150, 200)), image)
    for row, maps in enumerate((prediction, truth)):
        np.testing.assert_array_equal(panel(drawn, row, 1, (150, 200)), TASKS['semseg'].draw(maps['semseg']))
        expected = TASKS['depth'].draw(maps['depth'], truth['depth'])  # both in the range of the truth
        np.testing.assert_array_equal(panel(drawn, row, 2, (150, 200)), expected)
    assert len(np.unique(panel(drawn, 1, 0, (150, 200)))) == 1  # below the image there is nothing


def test_classes_are_drawn_in_the_colours_of_the_data_set() -> None:
    image, classes = np.zeros((100, 200, 3), dtype=np.uint8), np.full((100, 200), 4)
    maps = {'one': {'semseg': classes, 'depth': np.ones((100, 200), dtype=np.float32)}}
    drawn = draw_tasks(image, maps, TASKS, palettes={'semseg': [(number, 7, 9) for number in range(13)]})
    assert np.unique(panel(drawn, 0, 1, (100, 200)).reshape(-1, 3), axis=0).tolist() == [[4, 7, 9]]
    with_none = draw_tasks(image, maps, TASKS, palettes={})
    np.testing.assert_array_equal(panel(with_none, 0, 1, (100, 200)), TASKS['semseg'].draw(classes))


def test_reference_can_be_switched_off() -> None:
    image = np.zeros((100, 200, 3), dtype=np.uint8)
    near, far = np.full((100, 200), 1, dtype=np.float32), np.full((100, 200), 9, dtype=np.float32)
    near[0], far[0] = 2, 10
    drawn = draw_tasks(image, {'a': {'depth': near}, 'truth': {'depth': far}}, TASKS, reference=None)
    np.testing.assert_array_equal(panel(drawn, 0, 2, (100, 200)), TASKS['depth'].draw(near))


def test_missing_map_is_grey_and_says_so() -> None:
    drawn = draw_tasks(np.zeros((150, 200, 3), dtype=np.uint8), {'truth': {'semseg': np.zeros((150, 200), int)}}, TASKS)
    missing = panel(drawn, 0, 2, (150, 200))
    assert (missing == 128).all(-1).mean() > 0.9
    assert missing.max() > 200  # the word


def test_captions_are_written() -> None:
    drawn = draw_tasks(np.zeros((150, 200, 3), dtype=np.uint8), {'truth': {}}, TASKS)
    for column in range(3):
        assert drawn[:CAPTION, column * 204 : column * 204 + 200].min() < 100


@pytest.mark.parametrize(
    ('size', 'shown'),
    [((480, 640), (300, 400)), ((32, 64), (80, 160)), ((288, 384), (288, 384)), ((3000, 20), (24000, 160))],
)
def test_panels_are_legible_and_not_huge(size: tuple[int, int], shown: tuple[int, int]) -> None:
    drawn = draw_tasks(np.zeros((*size, 3), dtype=np.uint8), {}, {})
    assert drawn.shape == (shown[0] + CAPTION, shown[1], 3)


def test_map_of_another_size_is_stretched() -> None:
    drawn = draw_tasks(np.zeros((160, 200, 3), dtype=np.uint8), {'truth': {'semseg': np.eye(2, dtype=int)}}, TASKS)
    shown = panel(drawn, 0, 1, (160, 200))
    colours = TASKS['semseg'].draw(np.eye(2, dtype=int))
    np.testing.assert_array_equal(shown[79, 99], colours[0, 0])
    np.testing.assert_array_equal(shown[79, 100], colours[0, 1])


def test_float_images_are_clipped_and_rounded() -> None:
    image = np.full((100, 200, 3), 99.6, dtype=np.float32)
    image[0, 0] = (-5, 300, 7)
    drawn = panel(draw_tasks(image, {}, {}), 0, 0, (100, 200))
    assert drawn[0, 0].tolist() == [0, 255, 7] and (drawn[1] == 100).all()


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r'RGB image .* \(4, 4\)'):
        draw_tasks(np.zeros((4, 4)), {}, TASKS)
    with pytest.raises(ValueError, match=r"'truth' has maps of \['edge'\]"):
        draw_tasks(np.zeros((4, 4, 3)), {'truth': {'edge': np.zeros((4, 4))}}, TASKS)


def test_stacking() -> None:
    stacked = stack_pictures([np.zeros((2, 3, 3), dtype=np.uint8), np.ones((4, 5, 3), dtype=np.uint8)])
    assert stacked.shape == (2 + GAP + 4, 5, 3)
    assert (stacked[:2, :3] == 0).all() and (stacked[:2, 3:] > 200).all() and (stacked[-4:] == 1).all()
