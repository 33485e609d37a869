"""Converting a folder of NYU Depth v2 pictures to MTAN's layout.

The source holds one picture per image and kind, of one name, 640x480 (or cropped)::

    image/NAME.png        RGB
    semseg13/NAME.png     0 unlabelled, 1..13
    depth_mm/NAME.png     uint16 millimetres, 0 unknown
    normal_rgb/NAME.png   components -1..1 stored as 0..255, grey (127, 127, 127) unknown

Labels may be missing, for some images or all. Image ``i`` of a split is the i-th of its names in sorted order; a
``names.json`` beside the folders keeps the names. All maps are scaled to one size: images by area, classes and depth
by nearest neighbour, normals linearly and then brought back to unit length. Depths do not change, for it is only the
resolution that does; pictures of another aspect ratio (625x468 crops against 4:3) are stretched by a fraction of a
percent.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from mtlbox.datasets.decode import unit
from mtlbox.datasets.layouts import mtan_nyuv2
from mtlbox.datasets.layouts.hashes import Hashes
from mtlbox.datasets.layouts.states import open_jobs
from mtlbox.datasets.layouts.writing import (
    MARKER,
    Files,
    claim,
    encode_file,
    is_written,
    paths_of,
    require_space,
    stream_jobs,
    write_files,
    write_json,
)
from mtlbox.datasets.mat import read_mat
from mtlbox.datasets.nyuv2 import NYUV2_13_CLASSES
from mtlbox.datasets.partial import digest
from mtlbox.datasets.transforms.geometry import resize_image
from mtlbox.tasks import Depth, Normals, SemSeg, Task
from mtlbox.tasks.base import Array
from mtlbox.tasks.normals import share_away

NORMAL_AXES = 'R,-B,G'
"""Where camera x (right), y (down) and z (forward) stand in a normals picture: red is right, green forward, blue up."""

_SPLITS_MAT = {'train': 'trainNdxs', 'val': 'testNdxs'}
_MOST_AWAY = 0.1  # share of normals that may point away from the camera; it is 0.001 with the right axes


class Axes(NamedTuple):
    """How camera axes are read from a picture: the channel and the sign of each."""

    channels: tuple[int, ...]
    signs: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Axes:
        """Read e.g. ``'R,-B,G'``: x is red, y is minus blue, z is green."""
        parts = [part.strip().upper() for part in text.split(',')]
        if not all(re.fullmatch('[+-]?[RGB]', part) for part in parts) or sorted(p[-1] for p in parts) != list('BGR'):
            raise ValueError(f"Axes must name R, G and B once each, with signs, e.g. 'R,-B,G', but are {text!r}.")
        return cls(tuple('RGB'.index(p[-1]) for p in parts), tuple(-1 if p[0] == '-' else 1 for p in parts))

    @classmethod
    def every(cls) -> list[Axes]:
        """Return the 48 there are."""
        return [cls(c, s) for c in itertools.permutations(range(3)) for s in itertools.product((1, -1), repeat=3)]

    def read(self, components: Array) -> Array:
        """Turn RGB components ``(H, W, 3)`` in -1..1 into vectors in camera axes."""
        return components[..., list(self.channels)] * np.asarray(self.signs, dtype=np.float32)

    def __str__(self) -> str:
        return ','.join(('-' if sign < 0 else '') + 'RGB'[c] for c, sign in zip(self.channels, self.signs))


@dataclass(frozen=True)
class Report:
    """What a conversion did.

    Attributes:
        names: Names per split, in the order of their indices.
        missing: Per kind of label the names that have none.
        written: How many samples were written now; the others were there.
    """

    names: dict[str, list[str]]
    missing: dict[str, list[str]]
    written: int

    def __str__(self) -> str:
        total = sum(map(len, self.names.values()))
        lines = [f'{total} images: ' + ', '.join(f'{split} {len(names)}' for split, names in self.names.items())]
        lines[0] += f'; {self.written} written now'
        for kind, names in self.missing.items():
            some = ', '.join(names[:8]) + (', ...' if len(names) > 8 else '')
            lines.append(f'{kind}: {total - len(names)} of {total}' + (f'; none for {some}' if names else ''))
        return '\n'.join(lines)


@dataclass(frozen=True)
class _Job:
    source: Path
    name: str
    target: Path
    index: int
    size: tuple[int, int]
    axes: Axes


def convert(
    source: str | Path,
    root: str | Path,
    *,
    split: str = 'val',
    splits: str | Path | None = None,
    size: tuple[int, int] = (288, 384),
    normal_axes: str = NORMAL_AXES,
    workers: int = 1,
    quiet: bool = False,
) -> Report:
    """Write the pictures of ``source`` in MTAN's layout below ``root``.

    Called again with the same parameters and names it writes what is missing or whose source has changed, as by a label
    that was added.

    Args:
        source: Folder of pictures, as described above.
        root: A new or empty folder, or one that an earlier call with the same parameters has begun.
        split: Where all images go, ``'train'`` or ``'val'``, where ``splits`` is not given.
        splits: The official ``splits.mat``: names are then 1-based numbers of images, of which it says the split.
        size: (H, W).
        normal_axes: As :meth:`Axes.parse` takes it.
        workers: Processes.
        quiet: Show no progress bar.

    Raises:
        FileNotFoundError: ``source`` has no pictures.
        FileExistsError: ``root`` holds something else, e.g. pictures of other names.
        OSError: The disk is too small.
        ValueError: A picture is damaged, of a wrong type or size, holds wrong values, or is in no split.
    """
    source, root = Path(source), Path(root)
    if split not in _SPLITS_MAT:
        raise ValueError(f"split must be 'train' or 'val', but is {split!r}.")
    names = sorted(path.stem for path in (source / 'image').glob('*.png'))
    if not names:
        raise FileNotFoundError(
            f'There is no {source / "image"}/*.png. The source must hold image/NAME.png and, for the labels there are, '
            + ', '.join(f'{kind}/NAME.png' for kind in _LABELS)
            + '.'
        )
    by_split = {split: names} if splits is None else read_splits(Path(splits), names)
    axes = Axes.parse(normal_axes)
    parameters = {
        'content': 'NYU Depth v2 pictures',
        'source': str(source.resolve()),
        'split': said_of_names(by_split),
        'size': list(size),
        'normal_axes': normal_axes,
    }
    claim(root, MARKER, parameters)
    hashes = Hashes(root)
    tables = {root / key / 'names.json': dict(enumerate(members)) for key, members in by_split.items()}
    hashes.forget(path.relative_to(root).as_posix() for path in tables)
    for path, table in tables.items():
        write_json(path, table)
    example = mtan_nyuv2.encode(np.zeros((*size, 3), dtype=np.uint8))
    every = [
        _Job(source, name, root / key, index, size, axes)
        for key, members in by_split.items()
        for index, name in enumerate(members)
    ]
    jobs = open_jobs(
        root,
        every,
        files=lambda job: paths_of(job.target, example, index=job.index),
        sources=lambda job: [source / kind / f'{job.name}.png' for kind in ('image', *_LABELS)],
        is_whole=lambda job: is_written(job.target, example, index=job.index),
        hashes=hashes,
    )
    if jobs:
        size_of_one = sum(len(encode_file(path, content)) for path, content in _encode(jobs[0]).items())
        require_space(root, len(jobs) * size_of_one)
    hashes.note(stream_jobs(_convert_one, jobs, workers=workers, description=str(root), quiet=quiet))
    hashes.finish()
    missing = {kind: [name for name in names if not (source / kind / f'{name}.png').is_file()] for kind in _LABELS}
    return Report(by_split, missing, len(jobs))


def said_of_names(by_split: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return what is said of the names of each split to tell them from others."""
    return {split: f'{len(names)} images, digest of their names {digest(names)}' for split, names in by_split.items()}


def _convert_one(job: _Job) -> dict[Path, str]:
    """Convert one image and its labels; return the hashes of the files."""
    return write_files(job.target, _encode(job), index=job.index)


def _encode(job: _Job) -> Files:
    """Return the files of one image and its labels."""
    path = job.source / 'image' / f'{job.name}.png'
    image = _read(path, channels=3, dtype=np.uint8)
    labels = {}
    for kind, (field, task, read) in _LABELS.items():
        label_path = job.source / kind / f'{job.name}.png'
        if not label_path.is_file():
            continue
        label = read(label_path, job)
        if label.shape[:2] != image.shape[:2]:
            raise ValueError(f'{label_path} is {_size(label)}, but {path} is {_size(image)} (height x width).')
        labels[field] = task.rescale(label, job.size)
    return mtan_nyuv2.encode(resize_image(image.astype(np.float32), job.size), **labels)


def _read_classes(path: Path, job: _Job) -> Array:
    """Return classes 0..12 and 255."""
    stored = _read(path, channels=1, dtype=np.uint8)
    if stored.max() > len(NYUV2_13_CLASSES):
        raise ValueError(
            f'{path} holds values up to {stored.max()}, but 0 (unlabelled) and 1..13 are expected; '
            'is it a picture of 40 or of 894 classes?'
        )
    return np.where(stored == 0, 255, stored.astype(np.int16) - 1).astype(np.uint8)


def _read_depth(path: Path, job: _Job) -> Array:
    """Return metres."""
    return _read(path, channels=1, dtype=np.uint16).astype(np.float32) / np.float32(1000)


def _read_normals(path: Path, job: _Job) -> Array:
    """Return unit vectors in camera axes."""
    return oriented(_read(path, channels=3, dtype=np.uint8).astype(np.float32) * 2 / 255 - 1, job.axes, path)


def oriented(components: Array, axes: Axes, path: Path) -> Array:
    """Return unit vectors in camera axes; what is seen faces the camera, and by this the axes are checked.

    Args:
        components: ``(H, W, 3)`` in -1..1; what is short is unknown.
        axes: Where the camera's axes stand in them.
        path: The file, which messages name.

    Raises:
        ValueError: The axes are wrong; the message says which would fit.
    """
    vectors = unit(axes.read(components))
    away = share_away(vectors)
    if away > _MOST_AWAY:
        some = np.where(vectors.any(-1, keepdims=True), components, 0)[::4, ::4]
        best = min(Axes.every(), key=lambda one: share_away(one.read(some)))
        raise ValueError(
            f'{path}: with the axes {axes}, {away:.0%} of the normals point away from the camera, which cannot be '
            f'seen. The axes that fit this picture best are {best}.'
        )
    return vectors


_LABELS: dict[str, tuple[str, Task, Callable[[Path, _Job], Array]]] = {
    'semseg13': ('semseg', SemSeg(num_classes=len(NYUV2_13_CLASSES)), _read_classes),
    'depth_mm': ('depth', Depth(), _read_depth),
    'normal_rgb': ('normals', Normals(), _read_normals),
}
"""Folder in the source: what it becomes, whose rule scales it, how it is read."""


def _read(path: Path, *, channels: int, dtype: type) -> Array:
    """Return the picture, RGB where it has colours."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise ValueError(f'{path} cannot be read as a picture: it is damaged or truncated.')
    if (picture.shape[2] if picture.ndim == 3 else 1) != channels or picture.dtype != dtype:
        raise ValueError(
            f'{path} must have {channels} channel(s) of {np.dtype(dtype)}, '
            f'but has shape {picture.shape} and type {picture.dtype}.'
        )
    return picture[..., ::-1] if channels == 3 else picture


def _size(picture: Array) -> str:
    return f'{picture.shape[0]}x{picture.shape[1]}'


def read_splits(path: Path, names: list[str]) -> dict[str, list[str]]:
    """Return the names per split, by the official file of 1-based numbers."""
    if not path.is_file():
        raise FileNotFoundError(f'There is no file {path}; the official splits.mat of NYU Depth v2 is expected.')
    strangers = [name for name in names if not name.isdecimal()]
    members = {key: {int(n) for n in read_mat(path, field).ravel()} for key, field in _SPLITS_MAT.items()}
    strangers += [n for n in names if n.isdecimal() and not any(int(n) in numbers for numbers in members.values())]
    if strangers:
        raise ValueError(f'{path} does not know the images {", ".join(strangers[:8])}: names must be numbers 1..1449.')
    by_split = {key: sorted((n for n in names if int(n) in numbers), key=int) for key, numbers in members.items()}
    return {key: value for key, value in by_split.items() if value}
