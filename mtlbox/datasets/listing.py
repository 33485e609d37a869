"""The list of a data set's samples, as small as it can be."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mtlbox.datasets.sources import FileLayout, MapFiles, Source, place
from mtlbox.tasks.base import Array


class Files(NamedTuple):
    """What the paths of all samples of a split follow from.

    Attributes:
        root: Folder of the data.
        split: The split.
        images: The pictures.
        maps: The labels that are read, by name.
        reads: Whether a label is read of a sample, by the names of both; None for all of all.
    """

    root: str
    split: str
    images: Source
    maps: Mapping[str, MapFiles]
    reads: Callable[[str, str], bool] | None = None

    @classmethod
    def of(cls, layout: FileLayout, labels: Iterable[str], root: str, split: str) -> Files:
        """Return the files of those ``labels`` in ``layout``."""
        wanted = set(labels)
        maps = {name: files for name, files in layout.maps.items() if name in wanted}
        return cls(root, split, layout.images, maps)

    def sources(self) -> list[Source]:
        """Return the kinds of files, each once."""
        return list(dict.fromkeys([self.images, *(source for files in self.maps.values() for source in files.sources)]))

    def maps_of(self, name: str) -> dict[str, MapFiles]:
        """Return the labels that are read of a sample."""
        return {label: files for label, files in self.maps.items() if self.reads is None or self.reads(name, label)}

    def path(self, source: Source, name: str, choice: int = 0) -> str:
        """Return the path of a sample's file, at the given one of the places of its kind."""
        return os.path.join(self.root, place(source.paths[choice], name, self.split))

    def describe(self, name: str, choices: Mapping[Source, int]) -> dict[str, Any]:
        """Return the sample as the loaders of a data set take it."""
        maps = {
            label: [self.path(source, name, choices.get(source, 0)) for source in files.sources]
            for label, files in self.maps_of(name).items()
        }
        return {
            'sample_id': name,
            'img_path': self.path(self.images, name, choices.get(self.images, 0)),
            'label_paths': {label: paths[0] for label, paths in maps.items()},
            'label_files': maps,
        }


class Listing(Sequence):
    """Samples that are held by their names alone: paths are put together when a sample is asked for.

    A name takes its letters and four bytes (eight beyond 4 GiB of letters), and one byte per kind of file that has
    several places, in arrays that worker processes share with the one that made them: 31 MB for a million samples of
    Taskonomy. A slice shares them too.
    """

    def __init__(self, files: Files, names: Array, ends: Array, choices: Array) -> None:
        self._files, self._names, self._ends, self._choices = files, names, ends, choices
        self._several = [source for source in files.sources() if len(source.paths) > 1]

    @classmethod
    def read(cls, files: Files, names: Iterable[str], find: Callable[[Source, str], int]) -> Listing:
        """Take the ``names`` one by one.

        Args:
            files: Where the files are.
            names: Names of the samples; an iterator is never held as a list.
            find: Says at which of its places the file of a kind is, for a name.
        """
        sources = files.sources()
        several = [source for source in sources if len(source.paths) > 1]
        text, ends, choices = bytearray(), array('Q', [0]), bytearray()
        for name in names:
            read = {source for one in files.maps_of(name).values() for source in one.sources} | {files.images}
            found = {source: find(source, name) if source in read else 0 for source in sources}
            text += os.fsencode(name)
            ends.append(len(text))
            choices += bytes(found[source] for source in several)
        small = np.uint32 if len(text) < 2**32 else np.uint64
        table = np.frombuffer(bytes(choices), dtype=np.uint8).reshape(len(ends) - 1, len(several))
        return cls(files, np.frombuffer(bytes(text), dtype=np.uint8), np.array(ends, dtype=small), table)

    @property
    def nbytes(self) -> int:
        """Bytes that the samples take."""
        return self._names.nbytes + self._ends.nbytes + self._choices.nbytes

    def __len__(self) -> int:
        return len(self._ends) - 1

    def name(self, index: int) -> str:
        """Return the name of a sample."""
        start, end = int(self._ends[index]), int(self._ends[index + 1])
        return os.fsdecode(self._names[start:end].tobytes())

    def select(self, indices: Sequence[int]) -> Listing:
        """Return the listing of some samples."""
        names = (self.name(index) for index in indices)
        chosen = {self.name(index): self._choices[index].tolist() for index in indices}
        return Listing.read(
            self._files,
            names,
            lambda source, name: chosen[name][self._several.index(source)] if source in self._several else 0,
        )

    def __getitem__(self, index: Any) -> Any:
        """Return the sample of that number as a dict, or the listing of a slice without gaps."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                return [self[i] for i in range(start, stop, step)]
            ends, choices = self._ends[start : max(stop, start) + 1], self._choices[start : max(stop, start)]
            return Listing(self._files, self._names, ends, choices)
        if not -len(self) <= index < len(self):
            raise IndexError(f'There are {len(self)} samples, but number {index} is asked for.')
        index = int(index) % len(self)
        chosen = dict(zip(self._several, self._choices[index].tolist()))
        return self._files.describe(self.name(index), chosen)
