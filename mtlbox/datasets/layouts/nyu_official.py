"""Converting the official ``nyu_depth_v2_labeled.mat`` of NYU Depth v2.

The source is the file of the authors (HDF5, 1449 images), read image by image; beside it are needed the official
``splits.mat`` (1-based numbers of the images to train and to test on) and ``classMapping40.mat`` (894 classes to 40).

- Classes: 894 to 40 by ``classMapping40.mat``; 40 to 13 by the table ``nyud-to-nyuv2-13`` of
  :mod:`mtlbox.datasets.label_maps`, which is that of the official ``class13Mapping.mat``. 0, unlabelled, is ignored.
- Depth: ``depths``, in metres, whose holes the authors filled.
- Boundaries: between regions of one class and instance. Unlabelled seams are first given to the nearest region, up to
  8 pixels away; a pixel is a boundary if the one to its right or below it is in another region; lines are thinned.
- Normals: from the depth by ``normals_from_depth`` with the camera of the data set, unknown at jumps and at the frame;
  or those of a given folder (:mod:`mtlbox.datasets.layouts.given_normals`).

Boundaries and computed normals are our own method: those of the archives that papers use were made otherwise, so that
scores on these two do not compare with published ones.

As nyud-c, the window of rows 46 to 470 and columns 41 to 600 is cut out, which leaves the white frame out (425x560);
samples are named by their number. As nyuv2-13, the whole image is scaled to 288x384.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt

from mtlbox.datasets.label_maps import LABEL_MAPS
from mtlbox.datasets.layouts import mtan_nyuv2, nyud
from mtlbox.datasets.layouts.given_normals import AXES, GivenNormals
from mtlbox.datasets.layouts.hashes import Hashes
from mtlbox.datasets.layouts.nyu_pictures import Axes, read_splits, said_of_names
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
    write_text,
)
from mtlbox.datasets.mat import read_mat
from mtlbox.datasets.normals_from_depth import normals_from_depth
from mtlbox.datasets.nyud import NYUD, NYUD_40_CLASSES
from mtlbox.datasets.nyuv2 import NYUv2
from mtlbox.datasets.partial import digest
from mtlbox.datasets.transforms.geometry import resize_image
from mtlbox.tasks import build_tasks
from mtlbox.tasks.base import Array
from mtlbox.tasks.thinning import thin

FOCAL, CENTRE = (518.857901, 519.469611), (324.582449, 252.736166)
"""The colour camera of the data set in pixels (x, y), of the authors' toolbox, less one for MATLAB's first pixel."""
WINDOW = (slice(45, 470), slice(40, 600))
"""Rows and columns that nyud-c has."""

_FIELDS = {'images': 'uint8', 'depths': 'float', 'labels': 'integers', 'instances': 'integers'}
_HDF5 = b'\x89HDF\r\n\x1a\n'  # MATLAB puts it after 512 bytes of its own
_FIT = 15  # side of the window that planes are fitted over: less leaves the steps of the Kinect in the normals
_SEAM = 8  # pixels over which unlabelled seams are closed


@dataclass(frozen=True)
class _Job:
    source: Path
    number: int
    root: Path
    split: str
    index: int
    dataset: str
    size: tuple[int, int]
    classes: tuple[int, ...]
    normals: GivenNormals | None

    @property
    def names(self) -> dict[str, Any]:
        """What the paths of its files hold."""
        return {'split': self.split, 'index': self.index, 'number': self.number}

    @property
    def sources(self) -> list[Path]:
        """The files that it is read from."""
        given = None if self.normals is None else self.normals.find(self.number)
        return [self.source] if given is None else [self.source, given]


def convert(
    source: str | Path,
    root: str | Path,
    *,
    dataset: str,
    splits: str | Path,
    classes: str | Path,
    size: tuple[int, int] | None = None,
    normals: str | Path | None = None,
    normal_axes: str = AXES,
    workers: int = 1,
    quiet: bool = False,
) -> dict[str, int]:
    """Write the official file in a layout below ``root``; return how many samples were written now, per split.

    Called again with the same parameters it writes what is missing, or all where the source has changed. Every file is
    complete or absent.

    Args:
        source: ``nyu_depth_v2_labeled.mat``.
        root: A new or empty folder, or one that an earlier call with the same parameters has begun.
        dataset: ``'nyud-c'`` or ``'nyuv2-13'``.
        splits: The official ``splits.mat``.
        classes: The official ``classMapping40.mat``.
        size: (H, W) that the images, or of nyud-c the windows, are scaled to; by default that of the layout.
        normals: Folder of normals that are taken in the place of ours.
        normal_axes: Which of their channels are right, down and forward.
        workers: Processes.
        quiet: Show no progress bar.

    Raises:
        ImportError: h5py is not installed.
        FileNotFoundError: A file is missing.
        FileExistsError: ``root`` holds something else, e.g. what was made by another ``splits`` or ``classes``.
        OSError: The disk is too small.
        ValueError: A file is not what it should be.
    """
    source, root = Path(source), Path(root)
    if dataset not in _TARGETS:
        raise ValueError(f'The official file can become {" or ".join(_TARGETS)}, but not {dataset!r}.')
    target = _TARGETS[dataset]
    size = size or target.size
    count, original = _look_at(source)
    if target.window and any(side < part.stop for side, part in zip(original, target.window)):
        raise ValueError(
            f'{source} has images of {original[0]}x{original[1]}, but the window of {dataset} needs 480x640.'
        )
    numbers = {str(number) for number in range(1, count + 1)}
    by_split = read_splits(Path(splits), sorted(numbers, key=int))
    to_40 = _read_classes(Path(classes))
    given = None if normals is None else GivenNormals(Path(normals), Axes.parse(normal_axes))
    if given is not None:
        given.require(int(name) for names in by_split.values() for name in names)
    parameters = {
        'content': 'NYU Depth v2, official file',
        'dataset': dataset,
        'source': str(source.resolve()),
        'split': said_of_names(by_split),
        'classes': f'table of digest {digest([f"{one} {other}" for one, other in enumerate(to_40)])}',
        'size': list(size),
        **({'normals': str(given.folder.resolve()), 'normal_axes': str(given.axes)} if given is not None else {}),
    }
    claim(root, MARKER, parameters)
    example = target.encode(**_blank(size, target.boundary))
    every = [
        _Job(source, int(name), root, split, index, dataset, size, to_40, given)
        for split, names in by_split.items()
        for index, name in enumerate(names)
    ]
    hashes = Hashes(root)
    lists = {split: target.list_path.format(split=split) for split in by_split}
    hashes.forget(lists.values())
    jobs = open_jobs(
        root,
        every,
        files=lambda job: paths_of(root, example, **job.names),
        sources=lambda job: job.sources,
        is_whole=lambda job: is_written(root, example, **job.names),
        hashes=hashes,
    )
    if jobs:
        size_of_one = sum(len(encode_file(path, content)) for path, content in _encode(jobs[0]).items())
        require_space(root, len(jobs) * size_of_one)
    hashes.note(stream_jobs(_convert_one, jobs, workers=workers, description=str(root), quiet=quiet))
    for split, names in by_split.items():
        target.write_names(root / lists[split], [f'{int(name):04d}' for name in names])
    hashes.finish()
    return {split: sum(job.split == split for job in jobs) for split in by_split}


def find_official(root: Path) -> Path | None:
    """Return the official file that ``root`` is or holds, by its name and its first bytes; None where there is none."""
    for path in [root] if root.suffix == '.mat' else sorted(root.glob('nyu_depth_v2_labeled*.mat')):
        with suppress(OSError), open(path, 'rb') as file:
            head = file.read(520)
            if head[512:] == _HDF5 or head.startswith(_HDF5):
                return path
    return None


def _blank(size: tuple[int, int], boundary: bool) -> dict[str, Array]:
    """Return maps of ``size`` that hold nothing, of the kinds that :func:`_convert_one` makes."""
    binary, vectors = np.zeros(size, np.uint8), np.zeros((*size, 3), np.float32)
    maps = {'semseg': binary, 'boundary': binary} if boundary else {'semseg': binary}
    return {'image': vectors.astype(np.uint8), 'depth': vectors[..., 0], 'normals': vectors, **maps}


@contextmanager
def _opened(source: Path) -> Iterator[Any]:
    """Open the HDF5 file; what is missing or damaged names it."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            "nyu_depth_v2_labeled.mat is an HDF5 file; to read it: pip install 'mtlbox[nyu]', or h5py"
        ) from error
    if not source.is_file():
        raise FileNotFoundError(f'There is no file {source}; the official nyu_depth_v2_labeled.mat is expected.')
    try:
        file = h5py.File(source, 'r')
    except OSError as error:
        raise ValueError(f'{source} is no HDF5 file, or is truncated: {error}') from None
    with file:
        yield file


def _look_at(source: Path) -> tuple[int, tuple[int, int]]:
    """Return how many images there are and their (H, W); the axes of the file are reversed, MATLAB's first last."""
    with _opened(source) as file:
        missing = [name for name in _FIELDS if name not in file]
        if missing:
            raise ValueError(f'{source} does not hold {", ".join(missing)}: it is not nyu_depth_v2_labeled.mat.')
        shapes = {name: file[name].shape for name in _FIELDS}
        count, *_, width, height = shapes['images']
        expected = dict.fromkeys(_FIELDS, (count, width, height)) | {'images': (count, 3, width, height)}
        if shapes != expected:
            raise ValueError(f'{source} has the shapes {shapes}, but these are expected: {expected}.')
        return count, (height, width)


def _read_classes(path: Path) -> tuple[int, ...]:
    """Return the number 0..40 of each of the classes 0..894."""
    if not path.is_file():
        raise FileNotFoundError(f'There is no file {path}; the official classMapping40.mat is expected.')
    table = np.asarray(read_mat(path, 'mapClass')).ravel()
    if table.size != 894 or table.min() < 1 or table.max() > len(NYUD_40_CLASSES):
        raise ValueError(f'{path} must map 894 classes to 1..40, but has {table.size} entries.')
    return (0, *map(int, table))


def _convert_one(job: _Job) -> dict[Path, str]:
    """Convert one image; return the hashes of its files."""
    return write_files(job.root, _encode(job), **job.names)


def _encode(job: _Job) -> Files:
    """Return the files of one image."""
    target = _TARGETS[job.dataset]
    with _opened(job.source) as file:
        try:
            image, depth, labels, instances = (file[name][job.number - 1].T for name in _FIELDS)
        except OSError as error:
            raise ValueError(f'{job.source} is damaged at image {job.number}: {error}') from None
    image = np.ascontiguousarray(image)  # (H, W, 3)
    if labels.max() >= len(job.classes):
        raise ValueError(f'{job.source}: image {job.number} has the class {labels.max()}, but 0..894 are expected.')
    forty = np.asarray(job.classes, dtype=np.uint8)[labels]
    semseg = np.where(forty == 0, 255, forty - 1).astype(np.uint8)
    normals = _normals(job, depth)
    maps: dict[str, Array] = {
        'image': image,
        'semseg': semseg,
        'depth': np.asarray(depth, dtype=np.float32),
        'normals': normals,
    }
    if target.boundary:
        regions = np.where(labels == 0, 0, labels.astype(np.int64) * 65536 + instances)
        maps['boundary'] = boundaries_of_regions(regions)
    if target.window:
        maps = {name: one[target.window] for name, one in maps.items()}
    if maps['image'].shape[:2] != tuple(job.size):
        image = resize_image(maps.pop('image'), job.size)
        maps = {'image': image, **{name: _TASKS[name].rescale(one, job.size) for name, one in maps.items()}}
    return target.encode(**maps)


def _normals(job: _Job, depth: Array) -> Array:
    """Return normals of the size of ``depth``: given ones, which may have the window's size, or our own."""
    if job.normals is None:
        return normals_from_depth(depth, FOCAL, CENTRE, window=_FIT, jump=0.2)
    given, window = job.normals.read(job.number), _TARGETS[job.dataset].window
    if window is not None and given.shape[:2] == depth[window].shape:
        whole = np.zeros((*depth.shape, 3), dtype=np.float32)
        whole[window] = given
        return whole
    if given.shape[:2] != depth.shape:
        raise ValueError(
            f'{job.normals.find(job.number)} is {given.shape[0]}x{given.shape[1]}, but the image is '
            f'{depth.shape[0]}x{depth.shape[1]} (height x width).'
        )
    return given


def boundaries_of_regions(regions: Array) -> Array:
    """Return 1 on the boundaries between regions ``(H, W)``, else 0, as this module says; 0 is no region."""
    distance, (rows, columns) = distance_transform_edt(regions == 0, return_indices=True)
    closed = np.where((distance <= _SEAM) & (regions != 0).any(), regions[rows, columns], regions)
    lines = np.zeros(regions.shape, dtype=bool)
    lines[:, :-1] |= closed[:, :-1] != closed[:, 1:]
    lines[:-1] |= closed[:-1] != closed[1:]
    return thin(lines).astype(np.uint8)


_TASKS = build_tasks(
    {
        'semseg': {'type': 'SemSeg', 'num_classes': len(NYUD_40_CLASSES)},
        'depth': {'type': 'Depth'},
        'normals': {'type': 'Normals'},
        'boundary': {'type': 'Boundary'},
    }
)
"""By whose rules the maps are scaled."""


def _as_nyud_c(image: Array, semseg: Array, depth: Array, normals: Array, boundary: Array) -> Files:
    return nyud.encode(image, semseg, depth, normals, boundary, name='{number:04d}')


_TO_13 = LABEL_MAPS['nyud-to-nyuv2-13'].table()


def _as_nyuv2_13(image: Array, semseg: Array, depth: Array, normals: Array) -> Files:
    return mtan_nyuv2.in_split(mtan_nyuv2.encode(image, _TO_13[semseg], depth, normals))


def _write_list(path: Path, names: list[str]) -> None:
    write_text(path, ''.join(f'{name}\n' for name in names))


def _write_table(path: Path, names: list[str]) -> None:
    write_json(path, dict(enumerate(names)))


@dataclass(frozen=True)
class _Target:
    """What the official file becomes.

    Attributes:
        size: (H, W) of its maps.
        encode: Turns the maps of a sample, by name, into its files.
        list_path: Path of the names of a split, below the root.
        write_names: Writes the names of a split, given the path and them.
        window: Rows and columns that are cut out; None for the whole image.
        boundary: Whether it has boundaries.
    """

    size: tuple[int, int]
    encode: Callable[..., Files]
    list_path: str
    write_names: Callable[[Path, list[str]], None]
    window: tuple[slice, slice] | None = None
    boundary: bool = False


_TARGETS = {
    'nyud-c': _Target(nyud.SIZES['nyud-c'], _as_nyud_c, NYUD.LISTS, _write_list, window=WINDOW, boundary=True),
    NYUv2.LAYOUT: _Target(NYUv2.SIZE, _as_nyuv2_13, '{split}/names.json', _write_table),
}
"""By data set."""
