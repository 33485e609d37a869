"""Colours of classes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np

Colour = tuple[int, int, int]
Palette = Sequence[Colour]

IGNORED: Colour = (255, 255, 255)
"""RGB of the pixels of a class map that have no label; no class has it."""

_FIRST: Colour = (60, 60, 60)
_LEVELS = (0, 36, 73, 109, 146, 182, 219, 255)


@cache
def distinct_colours(count: int) -> tuple[Colour, ...]:
    """Return ``count`` RGB colours, each as far as can be from those before it and from :data:`IGNORED`.

    The first, often the background, is dark grey; more classes only add to the colours of fewer.

    Args:
        count: How many, 0 to 254.

    Raises:
        ValueError: There are not that many.
    """
    if not 0 <= count <= 254:
        raise ValueError(f'There are 0 to 254 distinct colours, but {count} are asked for.')
    candidates = np.array(list(product(_LEVELS, repeat=3)), dtype=np.float64)
    colours = [_FIRST]
    nearest = np.linalg.norm(candidates - IGNORED, axis=1)
    while len(colours) < count:
        nearest = np.minimum(nearest, np.linalg.norm(candidates - colours[-1], axis=1))
        red, green, blue = candidates[nearest.argmax()].astype(int).tolist()
        colours.append((red, green, blue))
    return tuple(colours[:count])


def check_palette(palette: Palette, count: int, where: str) -> None:
    """Raise ValueError, naming ``where``, unless ``palette`` tells ``count`` classes and ignored pixels apart."""
    if isinstance(palette, str) or not isinstance(palette, Sequence) or len(palette) != count:
        given = f'{len(palette)} colours' if isinstance(palette, Sequence) else f'{type(palette).__name__}'
        raise ValueError(f'{where} must be a list of {count} colours, one per class, but is {given}.')
    seen: dict[Colour, int] = {IGNORED: 255}
    for number, colour in enumerate(palette):
        if not _is_colour(colour):
            raise ValueError(f'{where}[{number}] must be (red, green, blue), whole numbers 0..255, but is {colour!r}.')
        red, green, blue = (int(level) for level in colour)
        twin = seen.setdefault((red, green, blue), number)
        if twin != number:
            other = 'of ignored pixels' if twin == 255 else f'of class {twin}'
            raise ValueError(f'{where}[{number}] is {tuple(colour)}, which is the colour {other} as well.')


def _is_colour(colour: object) -> bool:
    return (
        isinstance(colour, Sequence)
        and not isinstance(colour, str)
        and len(colour) == 3
        and all(isinstance(level, (int, np.integer)) and 0 <= level <= 255 for level in colour)
    )
