"""Laying out an image and the maps of its tasks in one picture with captions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import cv2
import numpy as np

from mtlbox.tasks import Task
from mtlbox.tasks.base import Array
from mtlbox.tasks.palette import Palette

WIDEST, NARROWEST = 400, 160
"""Limits of a panel's width in pixels; an image between them is shown at its own size."""

_CAPTION = 24  # height of the line above a panel
_GAP = 4
_BACKGROUND, _INK, _WHITE, _GREY = (232, 232, 232), (0, 0, 0), (255, 255, 255), (128, 128, 128)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_tasks(
    image: Array,
    rows: Mapping[str, Mapping[str, Array]],
    tasks: Mapping[str, Task],
    *,
    reference: str | None = 'truth',
    title: str = 'input',
    palettes: Mapping[str, Palette] | None = None,
) -> Array:
    """Draw an image and, in a column per task, the maps of that task, one row per name in ``rows``.

    Panels have the aspect ratio of the image; a map of another size is stretched to it. A map that a row lacks is
    shown as a grey panel that says so.

    Args:
        image: ``(H, W, 3)`` RGB, uint8 or float in 0..255.
        rows: ``{'prediction': {task key: map}, 'truth': {task key: map}}``; maps as :meth:`Task.draw` takes them.
        tasks: The tasks by key, in the order of the columns.
        reference: Name of the row that fixes the range of colours of a column (e.g. which depth is red), where it has
            the map; else every map has its own.
        title: Caption of the image.
        palettes: RGB of the classes by task, as a data set's ``metainfo['palettes']``; a task that is not there draws
            in colours of its own.

    Returns:
        RGB uint8 picture.

    Raises:
        ValueError: The image is not RGB, or a row has a map of a task that is not in ``tasks``.
    """
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f'An RGB image (H, W, 3) is expected, but the shape is {image.shape}.')
    for name, maps in rows.items():
        unknown = sorted(maps.keys() - tasks.keys())
        if unknown:
            raise ValueError(f'The row {name!r} has maps of {unknown}, but the tasks are {list(tasks)}.')
    size = _panel_size(image.shape[:2])
    pixels = np.clip(np.round(image), 0, 255).astype(np.uint8)
    ranges = rows.get(reference, {}) if reference is not None else {}
    lines = []
    for number, (name, maps) in enumerate(rows.items() or [('', {})]):
        first = _panel(pixels, title, size) if number == 0 else _blank(size)
        panels = [
            _panel(draw_map(task, maps[key], palettes, ranges.get(key)), f'{key}: {name}', size)
            if key in maps
            else _unlabelled(f'{key}: {name}', size)
            for key, task in tasks.items()
        ]
        lines.append(_join([first, *panels], axis=1))
    return _join(lines, axis=0)


def draw_map(
    task: Task, shown: Array, palettes: Mapping[str, Palette] | None = None, reference: Array | None = None
) -> Array:
    """Draw a map as its task does, RGB uint8, in the colours that ``palettes`` has for it, if any."""
    if palettes is None or task.key not in palettes:
        return task.draw(shown, reference)
    return task.draw(shown, reference, palettes[task.key])


def stack_pictures(pictures: Sequence[Array]) -> Array:
    """Put RGB pictures below one another; narrower ones are widened with the background."""
    width = max(picture.shape[1] for picture in pictures)
    padded = []
    for picture in pictures:
        canvas = _canvas(picture.shape[0], width)
        canvas[:, : picture.shape[1]] = picture
        padded.append(canvas)
    return _join(padded, axis=0)


def _panel_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return (H, W) of a panel for an image of ``size`` (H, W)."""
    height, width = size
    wanted = min(max(width, NARROWEST), WIDEST)
    return max(1, round(height * wanted / width)), wanted


def _panel(picture: Array, caption: str, size: tuple[int, int]) -> Array:
    """Return ``picture`` at ``size`` below its caption."""
    if picture.shape[:2] != size:
        shrinks = size[0] * size[1] < picture.shape[0] * picture.shape[1]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
        picture = cv2.resize(np.ascontiguousarray(picture), (size[1], size[0]), interpolation=method)
    canvas = _blank(size)
    canvas[_CAPTION:] = picture
    _write(canvas[:_CAPTION], caption, _INK)
    return canvas


def _unlabelled(caption: str, size: tuple[int, int]) -> Array:
    grey = np.full((*size, 3), _GREY, dtype=np.uint8)
    _write(grey, 'unlabelled', _WHITE)
    return _panel(grey, caption, size)


def _blank(size: tuple[int, int]) -> Array:
    return _canvas(size[0] + _CAPTION, size[1])


def _canvas(height: int, width: int) -> Array:
    return np.full((height, width, 3), _BACKGROUND, dtype=np.uint8)


def _write(area: Array, text: str, colour: tuple[int, int, int]) -> None:
    """Write ``text`` into the middle of ``area``, in place, as large as fits up to a legible size."""
    text = text.encode('ascii', 'replace').decode()  # the only letters of the font
    width = cv2.getTextSize(text, _FONT, 1.0, 1)[0][0]
    scale = min(0.5, (area.shape[1] - 4) / max(width, 1))
    (width, height), _ = cv2.getTextSize(text, _FONT, scale, 1)
    line = np.ascontiguousarray(area)
    place = ((area.shape[1] - width) // 2, (area.shape[0] + height) // 2)
    cv2.putText(line, text, place, _FONT, scale, colour, 1, cv2.LINE_AA)
    area[:] = line


def _join(parts: Iterable[Array], axis: int) -> Array:
    """Put pictures of one height (axis 1) or width (axis 0) beside one another, with a gap."""
    separated: list[Array] = []
    for part in parts:
        if separated:
            separated.append(_canvas(_GAP, part.shape[1]) if axis == 0 else _canvas(part.shape[0], _GAP))
        separated.append(part)
    return np.concatenate(separated, axis=axis)
