"""The base of data sets that hold their samples by name, and look at their files before training starts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.datasets.listing import Files, Listing
from mtlbox.datasets.messages import some
from mtlbox.datasets.probe import probe
from mtlbox.datasets.sources import Source
from mtlbox.datasets.verdict import look_once


class NamedDataset(MultiTaskDataset):
    """The base of data sets whose :meth:`load_data_list` returns a :class:`~mtlbox.datasets.listing.Listing`.

    The listing is as small as it can be, whatever ``serialize_data`` is.

    Args:
        check: Look at the head and the end of every file first, so that damage is found before training starts; files
            that have not changed since they were found good are not looked at again.
        base: As in :class:`~mtlbox.datasets.base.MultiTaskDataset`.
    """

    def __init__(self, *, check: bool = True, **base: Any) -> None:
        self.check = check
        super().__init__(**{**base, 'serialize_data': False})

    def filter_data(self) -> Listing:
        """Return the samples, of which some were left out before their files were looked for."""
        return self.data_list

    def look_at(self, samples: Listing, files: Files, what: Sequence[str]) -> None:
        """Look at the files, unless :attr:`check` is off or they were found good before and have not changed.

        Args:
            samples: The samples.
            files: What their paths follow from.
            what: Tells these files from others of the folder, e.g. data set, layout and split.

        Raises:
            ValueError: Some are damaged; the message names the first of them.
        """
        if self.check:
            kinds = {str(source): _files_at(samples, files, source) for source in files.sources()}
            look_once(self.data_root, what, kinds, lambda: self._find_damaged(samples))

    def _find_damaged(self, samples: Sequence[dict]) -> None:
        damaged = []
        for sample in samples:
            damaged += self.probe_files(sample)[1]
        if damaged:
            raise ValueError(f'{some(damaged)}.')

    def probe_files(self, sample: dict) -> tuple[dict[str, tuple[int, int]], list[str]]:
        """Return the (H, W) of the sample's files whose heads tell it, by path, and what is wrong with the others.

        Raises:
            FileNotFoundError: One is missing, as behind a link to nowhere, and none may be.
        """
        sizes, damaged = {}, []
        for path in self.files_of(sample):
            try:
                size = probe(path)
                if size is not None:
                    sizes[path] = size
            except ValueError as error:
                damaged.append(str(error).rstrip('.'))
            except FileNotFoundError:
                if not self.allow_missing:
                    raise
        return sizes, damaged

    def _withheld(self) -> Iterator[tuple[str, Collection[str]]]:
        return self.data_list.withheld()

    def _get_unserialized_subset(self, indices: int | Sequence[int]) -> Listing:
        if isinstance(indices, Sequence):
            return self.data_list.select(indices)
        return super()._get_unserialized_subset(indices)


def _files_at(samples: Iterable[dict], files: Files, source: Source) -> Iterator[str]:
    """Yield the files of one kind, of those samples that any label reads it of."""
    users = [(label, one.sources.index(source)) for label, one in files.maps.items() if source in one.sources]
    for sample in samples:
        if source == files.images:
            yield sample['img_path']
            continue
        read = (sample['label_files'][label][place] for label, place in users if label in sample['label_files'])
        yield from islice(read, 1)
