"""The base of data sets that lie on disk in one of several layouts, with a list of names per split or without.

::

    {list of a split}               one name per line
    {folder}/{name}{suffix}         one file per name and kind

Archives of one data set, even of one file name, differ in the suffixes and in what the files hold. A data set describes
each as a :class:`FileLayout`; which one a folder holds is seen from the files in it, and everything after that
(what is missing, what is damaged, what to do about it) is done here. Where there are no lists, the names are those of
the pictures (:class:`ScannedDataset`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmengine.logging import print_log

from mtlbox.datasets.arrays import ARRAYS, read_array
from mtlbox.datasets.image_file import read_image
from mtlbox.datasets.label_maps import LABEL_MAPS
from mtlbox.datasets.listing import Files, Listing
from mtlbox.datasets.messages import LISTED, UNFINISHED_MARKER, how_to_get, is_meant, some
from mtlbox.datasets.named import NamedDataset
from mtlbox.datasets.opening import opened
from mtlbox.datasets.sources import (
    LARGEST_SCALE,
    FileLayout,
    MapFiles,
    Source,
    fields_of,
    find_names,
    is_scaled,
    sizes_said,
    suffixes_in,
)
from mtlbox.registry import did_you_mean
from mtlbox.tasks import Task
from mtlbox.tasks.base import Array

__all__ = ['FileLayout', 'ListedDataset', 'MapFiles', 'ScannedDataset', 'Source']

_FOLDERS_HELD = 64  # listings of folders that are kept while files are looked for


class ListedDataset(NamedDataset):
    """The base of data sets with lists of names and one or more layouts.

    Only the labels that the tasks read need to be on disk, of those that are withheld none, of samples that are left
    out nothing. The list of samples is held by their names (:class:`~mtlbox.datasets.listing.Listing`), whatever
    ``serialize_data`` is.
    ``metainfo['layout']`` is the name of the layout that was seen, ``metainfo['replica']`` says whether the folder was
    written by ``tools/data.py replica``. A sample whose maps were brought to the size of its picture says of which in
    ``'resampled'``.
    A subclass gives ``METAINFO``, ``sizes`` included, and the class attributes.

    Args:
        data_root: Folder of the data.
        split: One of ``METAINFO['sizes']``.
        tasks: The model's tasks by key, built or as configs.
        layout: Name of the layout, where the folder holds files of several; by default it is recognised.
        base: As in :class:`~mtlbox.datasets.named.NamedDataset`, ``check`` among them.

    Raises:
        FileNotFoundError: The folder, the list of the split or a file is missing.
        ValueError: The layout cannot be told, a file is damaged, the split or the layout is unknown or the split is
            empty, a task has another number of classes than the labels, or ``METAINFO`` lacks something.
    """

    LAYOUTS: ClassVar[tuple[FileLayout, ...]]
    """The archives that are known."""
    LISTS: ClassVar[str]
    """Path of the list of a split."""
    TITLE: ClassVar[str]
    """What messages call the data."""

    def __init__(
        self,
        *,
        data_root: str,
        split: str,
        tasks: Mapping[str, Task | Mapping],
        layout: str | None = None,
        **base: Any,
    ) -> None:
        lacking = [key for key in ('labels', 'sizes') if not self.METAINFO.get(key)]
        if lacking:
            raise ValueError(f'METAINFO of {type(self).__name__} says nothing of {" and ".join(map(repr, lacking))}.')
        known = [one.name for one in self.layouts()]
        if layout is not None and layout not in known:
            raise ValueError(f'{type(self).__name__} has no layout {layout!r}.{did_you_mean(layout, known)}')
        self._meant, self._has_warned = layout, False
        super().__init__(data_root=str(data_root), split=split, tasks=tasks, **base)

    def load_data_list(self) -> Listing:
        """Return the samples in the order of the names, after all files were looked at."""
        self._refuse_unfinished()
        names: Iterable[str] = self.read_names()
        self.layout = self.recognise(Path(self.data_root), self._meant, self.wanted())
        self._metainfo['layout'] = self.layout.name
        print_log(f'{self.data_root} is in the layout {self.layout.name} ({self.layout.title}).', logger='current')
        files = Files.of(self.layout, self.label_names.values(), self.data_root, self.split)
        withheld, left_out = None, 0
        if self.partial or self.drop_unlabelled:
            known = list(names)
            kept, withheld = self.choose(known, partial(_describe, files, _Finder(files), known))
            names, left_out = [known[index] for index in kept], len(known) - len(kept)
        files = files._replace(partial=self.partial if self.partial else None)
        finder = _Finder(files)
        samples = Listing.read(files, names, finder, withheld)
        if finder.missing:
            self.refuse_missing(f'Missing: {some(finder.first, finder.missing)}.\n{self._help()}')
        self.look_at(samples, files, (type(self).__name__, self.layout.name, self.split))
        self.report_origin(self.TITLE, len(samples) + left_out)
        return samples

    def _refuse_unfinished(self) -> None:
        """Raise ValueError where the folder is being converted, whatever else of it is missing."""
        unfinished = Path(self.data_root, UNFINISHED_MARKER)
        if unfinished.is_file():
            raise ValueError(f'{self.data_root} has not been converted to the end; {unfinished} says what goes on.')

    def load_image(self, info: dict) -> Array:
        """Return the picture, RGB uint8 ``(H, W, 3)``."""
        path = info['img_path']
        return read_array(path) if path.endswith('.npy') else read_image(path)

    def load_label(self, info: dict, name: str) -> Array:
        """Return the map of the label ``name``."""
        return self.layout.maps[name].load(info['label_files'][name], info.get('decoded', {}))

    def load_stored(self, info: dict, name: str) -> Array | None:
        """Return what the file of the label ``name`` holds before reading mends it, where it does."""
        stored = self.layout.maps[name].stored
        return None if stored is None else stored(info['label_files'][name][0])

    @classmethod
    def origin_of(cls, layout: str | None) -> str:
        """Return what to fetch and where it is offered, of one layout where that is told apart, as :attr:`ORIGIN`."""
        return next((one.origin for one in cls.LAYOUTS if one.name == layout and one.origin), cls.ORIGIN)

    def is_lossy(self, name: str) -> bool:
        """Return whether the layout keeps the label ``name`` as JPEG."""
        return self.layout.maps[name].lossy

    def fit_label(self, label: Array, task: Task, info: dict, size: tuple[int, int]) -> Array:
        """Resample the map by the rule of its task where the layout has it so, with a warning the first time.

        Raises:
            ValueError: The layout has it not so, or the map is not the picture at another scale.
        """
        if not self.layout.resample or task.key not in self.label_names:
            return super().fit_label(label, task, info, size)
        files = info['label_files'][self.label_names[task.key]]
        said = sizes_said(' with '.join(files), label.shape, size)
        if not is_scaled(label.shape[:2], size):
            raise ValueError(
                f'{said} (height x width): a map of another size is brought to that of its picture, but only where it '
                f'has its proportions and each side is at most {LARGEST_SCALE} times longer or shorter.'
            )
        info.setdefault('resampled', []).append(said)
        if not self._has_warned:
            self._has_warned = True
            print_log(
                f'{said}: maps are brought to the size of their picture, here and for other samples.',
                logger='current',
                level=logging.WARNING,
            )
        return task.resize(label, size)

    def list_files(self) -> list[Path]:
        """Return the lists that the split is read from."""
        return [Path(self.data_root, self.LISTS.format(split=self.split))]

    @property
    def lists(self) -> str:
        """Path of the lists, for people; '' where there are none."""
        return self.LISTS

    def wanted(self) -> Mapping[str, Container[str]]:
        """Return which values the fields of the paths (:mod:`~mtlbox.datasets.sources`) may have; by default any."""
        return {'split': (self.split,)}

    def read_names(self) -> Iterable[str]:
        """Return the names of the split; an iterator is asked for the first one when the layout is known.

        Raises:
            FileNotFoundError: There is no list.
            ValueError: It is empty or names something twice.
        """
        part = self.LISTS.format(split=self.split)
        (path,) = self.list_files()
        if not path.is_file():
            hint = is_meant(self.data_root, part)
            raise FileNotFoundError(f'There is no file {path}, the list of the split.{hint}\n{self._help()}')
        try:
            with opened(path) as file:
                names = file.read().decode('utf-8-sig').split()
        except UnicodeDecodeError as error:
            raise ValueError(f'{path} is no list of names: {error}.') from None
        if not names:
            raise ValueError(f'{path} is empty: a name per line is expected.')
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f'{path} names {some(twice)} twice.')
        return names

    @classmethod
    def layouts(cls) -> tuple[FileLayout, ...]:
        """Return all layouts that are read: the archives, and the arrays that ``tools/data.py convert`` makes."""
        return (*cls.LAYOUTS, cls.arrays())

    @classmethod
    def arrays(cls) -> FileLayout:
        """Return the layout of the arrays: a folder per kind of file, below it the fields of the pictures' paths."""
        stem = '/'.join(f'{{{field}}}' for field in fields_of(cls.LAYOUTS[0].images.paths[0]))
        tables = {label: LABEL_MAPS[name] for label, name in cls.METAINFO.get('label_maps', {}).items()}
        classes = Source.at(f'semseg/{stem}.npy', decode=read_array)
        maps = {label: MapFiles(read_array, (Source.at(f'{label}/{stem}.npy'),)) for label in cls.METAINFO['labels']}
        maps |= {label: MapFiles(table.reader(), (classes,)) for label, table in tables.items()}
        if tables:
            maps['semseg'] = MapFiles(np.copy, (classes,))
        images = Source.at(f'image/{stem}.npy')
        return FileLayout(name=ARRAYS, title='made by tools/data.py convert', images=images, maps=maps)

    @classmethod
    def recognise(
        cls, root: Path, name: str | None = None, wanted: Mapping[str, Container[str]] | None = None
    ) -> FileLayout:
        """Return the layout that ``root`` holds, by the suffixes of the files in its folders.

        A layout fits if its pictures are there and no folder that it names holds only other kinds of files.

        Args:
            root: Folder of the data.
            name: Name of the layout, where it is known.
            wanted: Which values the fields of the paths may have, by default any.

        Raises:
            ValueError: No layout fits, or several do.
        """
        suffixes = cache(lambda path: suffixes_in(root, path, wanted or {}))
        fitting = [layout for layout in cls.layouts() if layout.fits(suffixes)]
        meant = [layout for layout in fitting if name in (None, layout.name)]
        if len(meant) == 1:
            return meant[0]
        folders = {
            str(Source.at(path)).rpartition('/')[0]: suffixes(path)
            for layout in cls.layouts()
            for source in layout.sources()
            for path in source.paths
        }
        seen = ', '.join(f'{folder}: {" ".join(sorted(kinds))}' for folder, kinds in folders.items() if kinds)
        known = '\n'.join(f'  {layout}' for layout in cls.layouts())
        state = 'fits none of the known layouts' if not fitting else 'fits several layouts'
        if name is not None:
            fits = ' and '.join(layout.name for layout in fitting) or 'none'
            state = f'is not in the layout {name!r}; it fits {fits}'
        advice = '' if not meant else '\nSay which one is meant: layout=' + ' or '.join(repr(x.name) for x in fitting)
        raise ValueError(f'{root} {state}. It holds {seen or "nothing of these"}.\nKnown are:\n{known}{advice}')

    def _find_damaged(self, samples: Sequence[dict]) -> None:
        damaged = []
        for sample in samples:
            known, wrong = self.probe_files(sample)
            damaged += wrong
            first = next(iter(known), '')
            fits = is_scaled if self.layout.resample else tuple.__eq__
            damaged += [
                f'{path} is {size[0]}x{size[1]}, but {first} is {known[first][0]}x{known[first][1]} (height x width)'
                for path, size in known.items()
                if not fits(size, known[first])
            ]
        if damaged:
            raise ValueError(f'{some(damaged)}.\n{self._help()}')

    def _help(self) -> str:
        known = '\n'.join(f'  {layout}' for layout in self.layouts())
        counts = ', '.join(f'{split} {n}' if n else split for split, n in self.METAINFO['sizes'].items())
        lists = f' with the lists {self.lists} and' if self.lists else ' with'
        meant = next((one.name for one in self.LAYOUTS if one.name == self._meant), '')
        return (
            f'Expected is {self.TITLE} ({counts}){lists} files of one of these layouts:\n'
            f'{known}\n'
            f'{how_to_get(self.origin_of(self._meant), meant or self.LAYOUTS[-1].name, self.data_root)}'
        )


def _describe(files: Files, find: _Finder, names: Sequence[str], number: int) -> dict[str, Any]:
    """Return the sample of a number, of which nothing is withheld, as the loaders take it."""
    name = names[number]
    return files.describe(name, {source: find(source, name) for source in files.sources() if len(source.paths) > 1})


class _Finder:
    """Looks for files by the listings of their folders, few of which are held at a time.

    ``missing`` counts those that are nowhere, ``first`` names the first of them.

    Args:
        files: Where the files are.
    """

    def __init__(self, files: Files) -> None:
        self.files, self.missing = files, 0
        self.first: list[str] = []
        self.folders: dict[str, set[str]] = {}

    def __call__(self, source: Source, name: str) -> int:
        """Return at which of its places a sample's file is; 0 where it is nowhere, which is counted."""
        place = self.place(source, name)
        if place is None:
            self.missing += 1
            if len(self.first) < LISTED:
                self.first.append(' or '.join(self._paths(source, name)))
        return place or 0

    def place(self, source: Source, name: str) -> int | None:
        """Return at which of its places a sample's file is; None where it is nowhere."""
        for choice, path in enumerate(self._paths(source, name)):
            folder, _, file = path.rpartition('/')
            if folder not in self.folders:
                if len(self.folders) >= _FOLDERS_HELD:
                    self.folders.clear()
                self.folders[folder] = set(os.listdir(folder)) if os.path.isdir(folder) else set()
            if file in self.folders[folder]:
                return choice
        return None

    def _paths(self, source: Source, name: str) -> list[str]:
        return [self.files.path(source, name, choice) for choice in range(len(source.paths))]


class ScannedDataset(ListedDataset):
    """The base of data sets without lists: the names of a split are those of the pictures that are there.

    What it takes and raises is as in :class:`ListedDataset`. A subclass says by :meth:`wanted` which pictures belong to
    a split.
    """

    LISTS = ''

    def list_files(self) -> list[Path]:
        """Return no lists."""
        return []

    def read_names(self) -> Iterator[str]:
        """Yield the names of the split, folder by folder, sorted.

        Raises:
            FileNotFoundError: There are none.
        """
        found = False
        for template in self.layout.images.paths:
            for name in find_names(self.data_root, template, self.wanted()):
                found = True
                yield name
        if not found:
            raise FileNotFoundError(f'{self.data_root} has no picture of the split {self.split!r}.\n{self._help()}')

    def missing_pictures(self) -> Iterator[str]:
        """Yield the paths of pictures that are not there though a label of theirs is; few folders are held."""
        files = Files.of(self.layout, self.label_names.values(), self.data_root, self.split)
        find, (pictures, *labels) = _Finder(files), files.sources()
        for number, source in enumerate(labels):
            for choice, template in enumerate(source.paths):
                for name in find_names(self.data_root, template, self.wanted()):
                    if find.place(pictures, name) is not None:
                        continue
                    first = find.place(source, name) == choice
                    if first and all(find.place(one, name) is None for one in labels[:number]):  # said once
                        yield files.path(pictures, name)

    def _find_damaged(self, samples: Sequence[dict]) -> None:
        missing = self.missing_pictures()
        first = list(islice(missing, LISTED))
        if first:
            said = some(first, len(first) + sum(1 for _ in missing))
            self.refuse_missing(f'Missing, though there are labels of them: {said}.\n{self._help()}')
        super()._find_damaged(samples)

    def load_data_list(self) -> Listing:
        """Return the samples in the order of the names, after all files were looked at."""
        self._refuse_unfinished()
        places = [path for layout in self.layouts() for path in layout.images.paths]
        if not any(suffixes_in(self.data_root, path, self.wanted()) for path in places):
            pictures = ' nor '.join(dict.fromkeys(str(layout.images) for layout in self.layouts()))
            first = places[0].partition('/')[0]
            hint = is_meant(self.data_root, first) if '{' not in first else ''
            raise FileNotFoundError(
                f'There are no pictures of the split {self.split!r} in {self.data_root}, neither {pictures}.{hint}\n'
                f'{self._help()}'
            )
        return super().load_data_list()
