"""The base of data sets in the layout of MTAN (Liu et al., CVPR 2019): one NumPy file per image and map.

::

    {train,val}/{folder}/{i}.npy

where the folders are ``image`` and one per kind of label, and index i names the same image in each of them. A data set
says which folders there are, what their arrays hold and how many there should be; finding, checking and reading the
files, and every message about them, is done here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mtlbox.datasets import npy
from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.datasets.decode import plane
from mtlbox.datasets.messages import how_to_get, is_meant, some
from mtlbox.datasets.opening import opened
from mtlbox.datasets.verdict import look_once
from mtlbox.tasks import Task
from mtlbox.tasks.base import Array


def decode_image(stored: Array, path: str) -> Array:
    """Return 0..255; what is stored as uint8 stays uint8."""
    if stored.dtype == np.uint8:
        return stored
    if stored.dtype.kind not in 'iuf':
        raise ValueError(f'{path}: an image of floats in 0..1 or of uint8 is expected, but it has type {stored.dtype}.')
    low, high = float(stored.min()), float(stored.max())
    if not (np.issubdtype(stored.dtype, np.floating) and low >= -0.01 and high <= 1.01):  # NaN fails as well
        raise ValueError(
            f'{path}: an image of floats in 0..1 or of uint8 is expected, '
            f'but it has type {stored.dtype} and values from {low:g} to {high:g}.'
        )
    image = np.multiply(stored, 255, dtype=np.float32)
    return np.clip(image, 0, 255, out=image) if low < 0 or high > 1 else image


def decode_classes(stored: Array, path: str) -> Array:
    """Return integers in which -1 has become 255."""
    stored = plane(stored)
    if stored.dtype.kind not in 'iuf':
        raise ValueError(f'{path}: classes must be numbers, but it has type {stored.dtype}.')
    if np.issubdtype(stored.dtype, np.floating):
        wrong = stored[~(np.rint(stored) == stored)]  # NaN as well
        if wrong.size:
            raise ValueError(f'{path}: classes must be whole numbers (-1 is ignored), but it holds {wrong[0]:g}.')
    if stored.min() >= -1 and stored.max() <= 255:
        return stored.astype(np.int16).astype(np.uint8)  # -1 becomes 255
    classes = stored.astype(np.int64)
    classes[classes == -1] = 255
    return classes


class Modality(NamedTuple):
    """A folder of maps of one kind.

    Attributes:
        folder: Its name.
        channels: Sizes that the last axis may have; where 1 is among them, that axis may be missing.
        decode: Turns a stored array, which it may write into, and its path into a map in the toolbox's encoding; raises
            ValueError naming the path where the array holds something else.
    """

    folder: str
    channels: tuple[int, ...]
    decode: Callable[[Array, str], Array]

    def describe(self) -> str:
        """Say which shapes are expected."""
        return '(H, W) or (H, W, 1)' if 1 in self.channels else f'(H, W, {self.channels[0]})'

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Return whether a stored array may have ``shape``."""
        return min(shape, default=0) > 0 and (
            (len(shape) == 3 and shape[2] in self.channels) or (len(shape) == 2 and 1 in self.channels)
        )


IMAGE = Modality('image', (3,), decode_image)
"""The folder of the images."""


class MTANDataset(MultiTaskDataset):
    """The base of data sets in MTAN's layout.

    Only the labels that the tasks read need to be on disk, and of those that are withheld none.
    Where the folder of a split has a ``names.json`` (``{index: name}``, as ``tools/data.py convert`` writes it), a
    sample's ``sample_id`` is ``{index}_{name}``, else its index. ``metainfo['replica']`` says whether the folder was
    written by ``tools/data.py replica``. A subclass gives ``METAINFO``, ``sizes`` included, and the class attributes.

    Args:
        data_root: Folder that holds ``train`` and ``val``.
        split: ``'train'`` or ``'val'``.
        tasks: The model's tasks by key, built or as configs.
        check: Look at the head and the length of every file first, so that damage is found before training starts;
            files that have not changed since they were found good are not looked at again.
        base: As in :class:`~mtlbox.datasets.base.MultiTaskDataset`.

    Raises:
        FileNotFoundError: The folder, a modality or a single file is missing.
        ValueError: A file is damaged or of the wrong shape, the split is unknown or empty, or a task has another
            number of classes than the labels.
    """

    ONE_SIZE = True
    LAYOUT: ClassVar[str]
    """Its name in ``tools/data.py``."""
    TITLE: ClassVar[str]
    """What messages call the data."""
    SIZE: ClassVar[tuple[int, int]]
    """(H, W) of the maps."""
    MAPS: ClassVar[dict[str, Modality]]
    """Where the maps of each label are, by the label's name."""

    def __init__(
        self, *, data_root: str, split: str, tasks: Mapping[str, Task | Mapping], check: bool = True, **base: Any
    ) -> None:
        self.check = check
        super().__init__(data_root=str(data_root), split=split, tasks=tasks, **base)

    def load_data_list(self) -> list[dict]:
        """Return the samples in the order of their numbers, after all files were looked at."""
        folder = Path(self.data_root, self.split)
        files = {modality: self._list_files(folder / modality.folder) for modality in self._modalities()}
        indices = sorted(set().union(*files.values()))
        if not indices:
            raise ValueError(f'{folder / IMAGE.folder} holds no file named {{index}}.npy.\n{self._help()}')
        given = _read_names(folder / 'names.json')
        names = {index: f'{index}_{given[str(index)]}' if str(index) in given else str(index) for index in indices}
        samples = [self._describe(index, name) for index, name in names.items()]
        kept, rows = self.choose(list(names.values()), samples.__getitem__)
        count, indices = len(indices), [indices[number] for number in kept]
        withheld = dict(zip(indices, rows))
        self._find_missing(folder, withheld, files)
        if self.check:
            kinds = {modality.folder: [found[i] for i in indices if i in found] for modality, found in files.items()}
            key = (type(self).__name__, self.LAYOUT, self.split)
            look_once(self.data_root, key, kinds, lambda: self._find_damaged(indices, files))
        self.report_origin(self.TITLE, count)
        return [{**samples[number], 'withheld': self.partial.withheld(bits)} for number, bits in zip(kept, rows)]

    def _describe(self, index: int, name: str) -> dict[str, Any]:
        labels = {label: self._path(self.MAPS[label], index) for label in self._label_set()}
        return {'sample_id': name, 'img_path': self._path(IMAGE, index), 'label_paths': labels}

    def filter_data(self) -> Sequence[dict]:
        """Return the samples, of which some were left out before their files were looked for."""
        return self.data_list

    def load_image(self, info: dict) -> Array:
        """Return the image ``(H, W, 3)``: float32 in 0..255, or uint8 where it is stored so."""
        return IMAGE.decode(npy.load(info['img_path']), info['img_path'])

    def load_label(self, info: dict, name: str) -> Array:
        """Return the map of the label ``name``."""
        path, modality, loaded = info['label_paths'][name], self.MAPS[name], info.get('decoded', {})
        if sum(other.folder == modality.folder for other in self._modalities()) == 1:
            return modality.decode(npy.load(path), path)
        if path not in loaded:
            loaded[path] = npy.load(path)
        return modality.decode(loaded[path].copy(), path)

    def _path(self, modality: Modality, index: int) -> str:
        return str(Path(self.data_root, self.split, modality.folder, f'{index}.npy'))

    def _label_set(self) -> list[str]:
        return [name for name in self.MAPS if name in self.label_names.values()]

    def _modalities(self) -> list[Modality]:
        return [IMAGE, *(self.MAPS[name] for name in self._label_set())]

    def _list_files(self, folder: Path) -> dict[int, str]:
        """Return ``{index: path}`` of the files named by a number; raise ValueError where one begins with a 0."""
        if not folder.is_dir():
            part = f'{self.split}/{IMAGE.folder}'
            hint = '' if Path(self.data_root, self.split).is_dir() else is_meant(self.data_root, part)
            raise FileNotFoundError(f'There is no folder {folder}.{hint}\n{self._help()}')
        paths = [path for path in folder.iterdir() if path.suffix == '.npy' and path.stem.isdecimal()]
        padded = sorted(path.name for path in paths if path.stem != str(int(path.stem)))
        if padded:
            raise ValueError(
                f'{folder} holds {some(padded)}, but files are named by their number alone: '
                f'{int(Path(padded[0]).stem)}.npy is expected for {padded[0]}.\n{self._help()}'
            )
        return {int(path.stem): str(path) for path in paths}

    def _find_missing(self, folder: Path, withheld: Mapping[int, Array], files: dict[Modality, dict[int, str]]) -> None:
        labels = {self.MAPS[label]: label for label in self._label_set()}
        missing = [
            str(folder / modality.folder / f'{index}.npy')
            for modality, found in files.items()
            for index, bits in withheld.items()
            if index not in found and (modality not in labels or self.partial.reads(bits, labels[modality]))
        ]
        if missing:
            present = ', '.join(f'{modality.folder} {len(found)}' for modality, found in files.items())
            self.refuse_missing(
                f'Missing: {some(missing)}. Each index must be in every folder; '
                f'{folder} has these numbers of files: {present}.\n{self._help()}'
            )

    def _find_damaged(self, indices: Iterable[int], files: dict[Modality, dict[int, str]]) -> None:
        damaged = []
        for index in indices:
            size: tuple[int, ...] = ()
            first = ''
            for modality, found in files.items():
                if index not in found:  # which is allowed, or was refused
                    continue
                try:
                    shape = npy.read_header(found[index]).shape
                except ValueError as error:
                    damaged.append(str(error).rstrip('.'))
                    continue
                if not modality.fits(shape):
                    damaged.append(f'{found[index]} has shape {shape}, but {modality.describe()} is expected')
                elif size and shape[:2] != size:
                    damaged.append(
                        f'{found[index]} is {shape[0]}x{shape[1]}, but {first} is {size[0]}x{size[1]} (height x width)'
                    )
                if not size:
                    size, first = shape[:2], found[index]
        if damaged:
            raise ValueError(f'{some(damaged)}.\n{self._help()}')

    def _help(self) -> str:
        needed = '; '.join(f'{modality.folder} {modality.describe()}' for modality in self._modalities())
        counts = ' and '.join(map(str, self.METAINFO['sizes'].values()))
        return (
            f'Expected is the layout of MTAN, {self.data_root}/{{train,val}}/{{folder}}/{{0, 1, 2, ...}}.npy '
            f'({counts} files per folder, {"x".join(map(str, self.SIZE))}), '
            f'with these folders: {needed}.\n'
            f'{how_to_get(self.ORIGIN, self.LAYOUT, self.data_root)}'
        )


def _read_names(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        with opened(path) as file:
            names = json.load(file)
    except ValueError as error:
        raise ValueError(
            f'{path} is not valid JSON ({error}). It may be deleted: it only names the samples.'
        ) from error
    if not isinstance(names, dict):
        raise ValueError(f'{path} must hold {{"index": "name"}}, but holds a {type(names).__name__}.')
    return names
