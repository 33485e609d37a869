from __future__ import annotations

import numpy as np
import pytest

from mtlbox.tasks import SemSeg, distinct_colours
from mtlbox.tasks.palette import IGNORED, check_palette


def test_generated_colours_can_be_told_apart() -> None:
    colours = np.array([*distinct_colours(40), IGNORED], dtype=float)
    apart = np.linalg.norm(colours[:, None] - colours[None], axis=-1)[~np.eye(len(colours), dtype=bool)]
    assert apart.min() > 70, apart.min()
    assert distinct_colours(13) == distinct_colours(40)[:13]
    check_palette(distinct_colours(254), 254, 'all of them')
    with pytest.raises(ValueError, match='0 to 254 distinct colours, but 255'):
        distinct_colours(255)


@pytest.mark.parametrize(
    ('palette', 'message'),
    [
        (((0, 0, 0),), 'must be a list of 2 colours, one per class, but is 1 colours'),
        ('ab', 'must be a list of 2 colours'),
        (7, 'must be a list of 2 colours, one per class, but is int'),
        (((0, 0, 0), (1, 2)), r'\[1\] must be \(red, green, blue\), whole numbers 0\.\.255, but is \(1, 2\)'),
        (((0, 0, 256), (1, 2, 3)), r'\[0\] must be .* but is \(0, 0, 256\)'),
        (((0, -1, 0), (1, 2, 3)), r'\[0\] must be '),
        (((0.5, 0, 0), (1, 2, 3)), r'\[0\] must be '),
        (((1, 2, 3), (1, 2, 3)), r'\[1\] is \(1, 2, 3\), which is the colour of class 0 as well'),
        (((1, 2, 3), (255, 255, 255)), r'\[1\] is \(255, 255, 255\), which is the colour of ignored pixels as well'),
    ],
)
def test_what_is_no_palette(palette: object, message: str) -> None:
    with pytest.raises(ValueError, match=f'here.*{message}'):
        check_palette(palette, 2, 'here')  # type: ignore[arg-type]


def test_classes_are_drawn_in_the_colours_given() -> None:
    task = SemSeg(num_classes=2)
    classes = np.array([[0, 1, 255]])
    assert task.draw(classes, None, ((9, 8, 7), (1, 2, 3))).tolist() == [[[9, 8, 7], [1, 2, 3], [255, 255, 255]]]
    assert task.draw(classes)[0].tolist() == [*map(list, distinct_colours(2)), [255, 255, 255]]
