"""The list of a data set's samples, as small as it can be."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mtlbox.datasets.partial import PartialLabels
from mtlbox.datasets.sources import FileLayout, MapFiles, Source, place
from mtlbox.tasks.base import Array

_NO_BITS = np.zeros(0, dtype=np.uint8)
"""What is withheld of a sample where nothing is of any."""


class Files(NamedTuple):
    """What the paths of all samples of a split follow from.

    Attributes:
        root: Folder of the data.
        split: The split.
        images: The pictures.
        maps: The labels that are read, by name.
        partial: Which labels are read of a sample; None for all of all.
    """

    root: str
    split: str
    images: Source
    maps: Mapping[str, MapFiles]
    partial: PartialLabels | None = None

    @classmethod
    def of(cls, layout: FileLayout, labels: Iterable[str], root: str, split: str) -> Files:
        """Return the files of those ``labels`` in ``layout``."""
        wanted = set(labels)
        maps = {name: files for name, files in layout.maps.items() if name in wanted}
        return cls(root, split, layout.images, maps)

    def sources(self) -> list[Source]:
        """Return the kinds of files, each once."""
        return list(dict.fromkeys([self.images, *(source for files in self.maps.values() for source in files.sources)]))

    def maps_of(self, bits: Array) -> dict[str, MapFiles]:
        """Return the labels that are read of a sample, of which ``bits`` say what is withheld."""
        if self.partial is None:
            return dict(self.maps)
        return {label: files for label, files in self.maps.items() if self.partial.reads(bits, label)}

    def withheld(self, bits: Array) -> list[str]:
        """Return the keys of the tasks that are not told their label of a sample."""
        return [] if self.partial is None else self.partial.withheld(bits)

    def path(self, source: Source, name: str, choice: int = 0) -> str:
        """Return the path of a sample's file, at the given one of the places of its kind."""
        return os.path.join(self.root, place(source.paths[choice], name, self.split))

    def describe(self, name: str, choices: Mapping[Source, int], bits: Array = _NO_BITS) -> dict[str, Any]:
        """Return the sample as the loaders of a data set take it."""
        maps = {
            label: [self.path(source, name, choices.get(source, 0)) for source in files.sources]
            for label, files in self.maps_of(bits).items()
        }
        return {
            'sample_id': name,
            'img_path': self.path(self.images, name, choices.get(self.images, 0)),
            'label_paths': {label: paths[0] for label, paths in maps.items()},
            'label_files': maps,
            'withheld': self.withheld(bits),
        }


class Listing(Sequence):
    """Samples that are held by their names alone: paths are put together when a sample is asked for.

    A name takes its letters and four bytes (eight beyond 4 GiB of letters), one byte per kind of file that has several
    places, and a bit per task from which labels are withheld, in arrays that worker processes share with the one that
    made them: 31 MB for a million samples of Taskonomy. A slice shares them too.
    """

    def __init__(self, files: Files, names: Array, ends: Array, choices: Array, withheld: Array) -> None:
        self._files, self._names, self._ends, self._choices, self._bits = files, names, ends, choices, withheld
        self._several = [source for source in files.sources() if len(source.paths) > 1]

    @classmethod
    def read(
        cls, files: Files, names: Iterable[str], find: Callable[[Source, str], int], withheld: Array | None = None
    ) -> Listing:
        """Take the ``names`` one by one.

        Args:
            files: Where the files are.
            names: Names of the samples; an iterator is never held as a list.
            find: Says at which of its places the file of a kind is, for a name.
            withheld: A row of bits per name, as ``files.partial`` chose them.
        """
        sources = files.sources()
        several = [source for source in sources if len(source.paths) > 1]
        text, ends, choices = bytearray(), array('Q', [0]), bytearray()
        for index, name in enumerate(names):
            bits = _NO_BITS if withheld is None else withheld[index]
            read = {source for one in files.maps_of(bits).values() for source in one.sources} | {files.images}
            found = {source: find(source, name) if source in read else 0 for source in sources}
            text += os.fsencode(name)
            ends.append(len(text))
            choices += bytes(found[source] for source in several)
        small = np.uint32 if len(text) < 2**32 else np.uint64
        table = np.frombuffer(bytes(choices), dtype=np.uint8).reshape(len(ends) - 1, len(several))
        bits = np.zeros((len(table), 0), dtype=np.uint8) if withheld is None else withheld
        return cls(files, np.frombuffer(bytes(text), dtype=np.uint8), np.array(ends, dtype=small), table, bits)

    @property
    def nbytes(self) -> int:
        """Bytes that the samples take."""
        return self._names.nbytes + self._ends.nbytes + self._choices.nbytes + self._bits.nbytes

    def __len__(self) -> int:
        return len(self._ends) - 1

    def name(self, index: int) -> str:
        """Return the name of a sample."""
        start, end = int(self._ends[index]), int(self._ends[index + 1])
        return os.fsdecode(self._names[start:end].tobytes())

    def withheld(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the name of each sample, and the keys of the tasks from which its label is withheld."""
        for index, bits in enumerate(self._bits):
            yield self.name(index), self._files.withheld(bits)

    def select(self, indices: Sequence[int]) -> Listing:
        """Return the listing of some samples, in that order; negative numbers count from the end.

        Raises:
            IndexError: There is no such sample.
        """
        places = np.fromiter((self._place(index) for index in indices), dtype=np.int64, count=len(indices))
        text = bytearray()
        for start, end in zip(self._ends[places].tolist(), self._ends[places + 1].tolist()):
            text += self._names[start:end].tobytes()
        ends = np.zeros(len(places) + 1, dtype=self._ends.dtype if len(text) < 2**32 else np.uint64)
        np.cumsum(self._ends[places + 1] - self._ends[places], out=ends[1:])
        names = np.frombuffer(bytes(text), dtype=np.uint8)
        return Listing(self._files, names, ends, self._choices[places], self._bits[places])

    def _place(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f'There are {len(self)} samples, but number {index} is asked for.')
        return int(index) % len(self)

    def __getitem__(self, index: Any) -> Any:
        """Return the sample of that number as a dict, or the listing of a slice."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                return self.select(range(start, stop, step))
            rows = slice(start, max(stop, start))
            ends = self._ends[start : rows.stop + 1]
            return Listing(self._files, self._names, ends, self._choices[rows], self._bits[rows])
        index = self._place(index)
        chosen = dict(zip(self._several, self._choices[index].tolist()))
        return self._files.describe(self.name(index), chosen, self._bits[index])
