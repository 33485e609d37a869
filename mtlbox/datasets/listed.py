"""The base of data sets whose splits are lists of names, and which lie on disk in one of several layouts.

::

    {list of a split}               one name per line
    {folder}/{name}{suffix}         one file per name and kind

Archives of one data set, even of one file name, differ in the suffixes and in what the files hold. A data set describes
each as a :class:`FileLayout`; which one a folder holds is seen from the files in it, and everything after that
(what is missing, what is damaged, what to do about it) is done here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from mmengine.logging import print_log

from mtlbox.datasets.arrays import ARRAYS, read_array
from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.datasets.image_file import read_image
from mtlbox.datasets.messages import how_to_get, is_meant, some
from mtlbox.datasets.probe import probe
from mtlbox.datasets.verdict import look_once
from mtlbox.registry import did_you_mean
from mtlbox.tasks import Task
from mtlbox.tasks.base import Array


class Source(NamedTuple):
    """Files of one kind, ``{folder}/{name}{suffix}``.

    Attributes:
        suffix: With the dot.
        folders: Where they are; of several, the first that has the name.
    """

    suffix: str
    folders: tuple[str, ...]

    def __str__(self) -> str:
        return ' or '.join(f'{folder}/*{self.suffix}' for folder in self.folders)


class MapFiles(NamedTuple):
    """How one kind of label is stored.

    Attributes:
        read: Takes one path per source and returns the map in the toolbox's encoding; raises ValueError naming the
            file.
        sources: The files that it is read from.
    """

    read: Callable[..., Array]
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class FileLayout:
    """One archive of a data set.

    Attributes:
        name: Its name in ``tools/data.py`` and in the metainfo.
        title: What it is, for people.
        images: The pictures.
        maps: The labels by name.
        resample: Whether maps of another size than their picture are brought to its size, as the archive's own code
            does; else that is an error.
    """

    name: str
    title: str
    images: Source
    maps: Mapping[str, MapFiles]
    resample: bool = False

    def sources(self) -> list[Source]:
        """Return all kinds of files, each once."""
        return list(dict.fromkeys([self.images, *(source for files in self.maps.values() for source in files.sources)]))

    def __str__(self) -> str:
        return f'{self.name} ({self.title}): {", ".join(map(str, self.sources()))}'


class ListedDataset(MultiTaskDataset):
    """The base of data sets with lists of names and one or more layouts.

    Only the labels that the tasks read need to be on disk, and of those that are withheld none.
    ``metainfo['layout']`` is the name of the layout that was seen, ``metainfo['replica']`` says whether the folder was
    written by ``tools/data.py replica``. ``resampled`` counts the maps that were brought to the size of their picture.
    A subclass gives ``METAINFO``, ``sizes`` included, and the class attributes.

    Args:
        data_root: Folder of the data.
        split: One of ``METAINFO['sizes']``.
        tasks: The model's tasks by key, built or as configs.
        layout: Name of the layout, where the folder holds files of several; by default it is recognised.
        check: Look at the head and the end of every file first, so that damage is found before training starts; files
            that have not changed since they were found good are not looked at again.
        base: As in :class:`~mtlbox.datasets.base.MultiTaskDataset`.

    Raises:
        FileNotFoundError: The folder, the list of the split or a file is missing.
        ValueError: The layout cannot be told, a file is damaged, the split or the layout is unknown or the split is
            empty, or a task has another number of classes than the labels.
    """

    LAYOUTS: ClassVar[tuple[FileLayout, ...]]
    """The archives that are known."""
    LISTS: ClassVar[str]
    """Path of the list of a split."""
    TITLE: ClassVar[str]
    """What messages call the data."""
    ORIGIN: ClassVar[str]
    """What to fetch and where it is offered, for the messages."""

    def __init__(
        self,
        *,
        data_root: str,
        split: str,
        tasks: Mapping[str, Task | Mapping],
        layout: str | None = None,
        check: bool = True,
        **base: Any,
    ) -> None:
        known = [one.name for one in self.layouts()]
        if layout is not None and layout not in known:
            raise ValueError(f'{type(self).__name__} has no layout {layout!r}.{did_you_mean(layout, known)}')
        self.check, self._wanted, self.resampled = check, layout, 0
        super().__init__(data_root=str(data_root), split=split, tasks=tasks, **base)

    def load_data_list(self) -> list[dict]:
        """Return the samples in the order of the list, after all files were looked at."""
        names = self.read_names()
        self.partial.settle(names)
        self.layout = self.recognise(Path(self.data_root), self._wanted)
        self._metainfo['layout'] = self.layout.name
        print_log(f'{self.data_root} is in the layout {self.layout.name} ({self.layout.title}).', logger='current')
        samples: list[dict] = []
        missing: list[str] = []
        labels = {name: files for name, files in self.layout.maps.items() if name in self.label_names.values()}
        folders: dict[str, set[str]] = {}
        for name in names:
            image = self._find(name, self.layout.images, folders, missing)
            maps = {
                key: [self._find(name, s, folders, missing) for s in files.sources]
                for key, files in labels.items()
                if self.partial.reads(name, key)
            }
            samples.append(
                {
                    'sample_id': name,
                    'img_path': image,
                    'label_paths': {key: paths[0] for key, paths in maps.items()},
                    'label_files': maps,
                }
            )
        if missing:
            self.refuse_missing(f'Missing: {some(list(dict.fromkeys(missing)))}.\n{self._help()}')
        if self.check:
            kinds = {key: _files_of(samples, key) for key in labels}
            kinds['image'] = (sample['img_path'] for sample in samples)
            key = (type(self).__name__, self.layout.name, self.split)
            look_once(self.data_root, key, kinds, lambda: self._find_damaged(samples))
        self.report_origin(self.TITLE, len(samples))
        return samples

    def load_image(self, info: dict) -> Array:
        """Return the picture, RGB uint8 ``(H, W, 3)``."""
        path = info['img_path']
        return read_array(path) if path.endswith('.npy') else read_image(path)

    def load_label(self, info: dict, name: str) -> Array:
        """Return the map of the label ``name``."""
        return self.layout.maps[name].read(*info['label_files'][name])

    def fit_label(self, label: Array, task: Task, info: dict, size: tuple[int, int]) -> Array:
        """Resample the map by the rule of its task where the layout has it so, with a warning the first time."""
        if not self.layout.resample or task.key not in self.label_names:
            return super().fit_label(label, task, info, size)
        self.resampled += 1
        if self.resampled == 1:
            print_log(
                f'{info["label_paths"][self.label_names[task.key]]} is {label.shape[0]}x{label.shape[1]}, its picture '
                f'{size[0]}x{size[1]}: maps are brought to the size of their picture, here and for other samples.',
                logger='current',
                level=logging.WARNING,
            )
        return task.resize(label, size)

    def read_names(self) -> list[str]:
        """Return the names of the split.

        Raises:
            FileNotFoundError: There is no list.
            ValueError: It is empty or names something twice.
        """
        part = self.LISTS.format(split=self.split)
        path = Path(self.data_root, part)
        if not path.is_file():
            hint = is_meant(self.data_root, part)
            raise FileNotFoundError(f'There is no file {path}, the list of the split.{hint}\n{self._help()}')
        try:
            names = path.read_text(encoding='utf-8').split()
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
        maps = {label: MapFiles(read_array, (Source('.npy', (label,)),)) for label in cls.METAINFO['labels']}
        title = 'made by tools/data.py convert'
        return (*cls.LAYOUTS, FileLayout(name=ARRAYS, title=title, images=Source('.npy', ('image',)), maps=maps))

    @classmethod
    def recognise(cls, root: Path, name: str | None = None) -> FileLayout:
        """Return the layout that ``root`` holds, by the suffixes of the files in its folders.

        A layout fits if its pictures are there and no folder that it names holds only other kinds of files.

        Args:
            root: Folder of the data.
            name: Name of the layout, where it is known.

        Raises:
            ValueError: No layout fits, or several do.
        """
        found = {
            folder: _suffixes(root / folder)
            for layout in cls.layouts()
            for source in layout.sources()
            for folder in source.folders
        }
        fitting = [layout for layout in cls.layouts() if _fits(layout, found)]
        wanted = [layout for layout in fitting if name in (None, layout.name)]
        if len(wanted) == 1:
            return wanted[0]
        seen = ', '.join(f'{folder}: {" ".join(sorted(kinds)) or "nothing"}' for folder, kinds in found.items())
        known = '\n'.join(f'  {layout}' for layout in cls.layouts())
        state = 'fits none of the known layouts' if not fitting else 'fits several layouts'
        if name is not None:
            fits = ' and '.join(layout.name for layout in fitting) or 'none'
            state = f'is not in the layout {name!r}; it fits {fits}'
        advice = '' if not wanted else '\nSay which one is meant: layout=' + ' or '.join(repr(x.name) for x in fitting)
        raise ValueError(f'{root} {state}. It holds {seen}. Known are:\n{known}{advice}')

    def _find(self, name: str, source: Source, folders: dict[str, set[str]], missing: list[str]) -> str:
        """Return the path of a file; one that is not there is added to ``missing``."""
        file = name + source.suffix
        for folder in source.folders:
            if folder not in folders:
                path = Path(self.data_root, folder)
                folders[folder] = set(os.listdir(path)) if path.is_dir() else set()
            if file in folders[folder]:
                return os.path.join(self.data_root, folder, file)
        missing.append(' or '.join(os.path.join(self.data_root, folder, file) for folder in source.folders))
        return missing[-1]

    def _find_damaged(self, samples: list[dict]) -> None:
        damaged = []
        for sample in samples:
            sizes = {}
            for path in self.files_of(sample):
                try:
                    sizes[path] = probe(path)
                except ValueError as error:
                    damaged.append(str(error).rstrip('.'))
                except FileNotFoundError:
                    if not self.allow_missing:  # a link to nowhere
                        raise
            known = {path: size for path, size in sizes.items() if size is not None}
            first = next(iter(known), '')
            if not self.layout.resample:
                damaged += [
                    f'{path} is {size[0]}x{size[1]}, '
                    f'but {first} is {known[first][0]}x{known[first][1]} (height x width)'
                    for path, size in known.items()
                    if size != known[first]
                ]
        if damaged:
            raise ValueError(f'{some(damaged)}.\n{self._help()}')

    def _help(self) -> str:
        known = '\n'.join(f'  {layout}' for layout in self.LAYOUTS)
        counts = ', '.join(f'{split} {n}' for split, n in self.METAINFO['sizes'].items())
        return (
            f'Expected is {self.TITLE} ({counts}) with the lists {self.LISTS} and files of one of these layouts:\n'
            f'{known}\n'
            f'{how_to_get(self.ORIGIN, self.LAYOUTS[-1].name, self.data_root)}'
        )


def _files_of(samples: Iterable[dict], label: str) -> Iterator[str]:
    for sample in samples:
        yield from sample['label_files'][label]


def _suffixes(folder: Path) -> set[str]:
    """Return the suffixes of the files in ``folder``; none where there is no such folder."""
    return {Path(name).suffix for name in os.listdir(folder)} - {''} if folder.is_dir() else set()


def _fits(layout: FileLayout, found: Mapping[str, set[str]]) -> bool:
    """Return whether the pictures are there and no folder has only files of other suffixes."""
    for source in layout.sources():
        kinds = [found[folder] for folder in source.folders if found[folder]]
        if kinds and not any(source.suffix in suffixes for suffixes in kinds):
            return False
        if not kinds and source is layout.images:
            return False
    return True
