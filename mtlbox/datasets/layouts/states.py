"""What the sources of the samples of a conversion were, so that what has changed since is converted anew.

It is kept in ``.mtlbox/sources`` of the folder that is written, 16 bytes a sample.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from mtlbox.datasets import npy
from mtlbox.datasets.layouts.hashes import Hashes
from mtlbox.datasets.layouts.writing import Job
from mtlbox.datasets.verdict import FOLDER, Stamp, short_hash
from mtlbox.tasks.base import Array

_STATES = f'{FOLDER}/sources'
_STATES_BEFORE = f'{FOLDER}/sources.json'  # as conversions wrote it that were begun before


class Sources:
    """Says of each sample in turn whether it is to be written, and keeps what its source is.

    Args:
        root: The folder that is written.
    """

    def __init__(self, root: Path) -> None:
        self._root, self._before = root, _States.read(root)
        self._seen: list[_States] = []
        self._names, self._states = array('Q'), array('Q')

    def is_open(self, sample: str, paths: Iterable[Path], stamp: Stamp, is_whole: Callable[[], bool]) -> bool:
        """Return whether the files of a sample are to be written.

        What is there of another source is removed. Where nothing is known of any source, whatever is whole is taken
        for good. A sample that a split before this one had is not to be written.

        Args:
            sample: Its name.
            paths: Its files.
            stamp: State of its source.
            is_whole: Looks whether its files are there and complete.
        """
        state = _short_state(stamp.digest)
        if any(one.get(sample) == state for one in self._seen):
            return False
        self._names.append(short_hash(sample))
        self._states.append(state)
        if len(self._before) and self._before.get(sample) != state:
            for path in paths:
                path.unlink(missing_ok=True)
        return not is_whole()

    def end_split(self) -> None:
        """Take the samples from here on for those of another split."""
        self._seen.append(_States(self._names, self._states))
        self._names, self._states = array('Q'), array('Q')

    def lack_some(self) -> bool:
        """Return whether there was a sample before which no split that has ended has."""
        return self._before.exceed(self._seen)

    def __contains__(self, sample: str) -> bool:
        return any(one.get(sample) is not None for one in self._seen)

    def write(self) -> None:
        """Write down what the sources of the splits that have ended are; before anything is written of them."""
        _States.write(self._seen, self._root)


def open_jobs(
    root: Path,
    jobs: Iterable[Job],
    *,
    files: Callable[[Job], Sequence[Path]],
    sources: Callable[[Job], Sequence[Path]],
    is_whole: Callable[[Job], bool],
    hashes: Hashes,
) -> list[Job]:
    """Return the jobs, each of one sample, that are to be done; the hashes of their files are forgotten.

    Args:
        root: The folder that is written.
        jobs: All jobs.
        files: Says what a job writes.
        sources: Says what it reads; a file that may be missing is named as well.
        is_whole: Looks whether what it writes is there and complete.
        hashes: Those of the folder.
    """
    known, found = Sources(root), []
    for job in jobs:
        paths, stamp = files(job), Stamp([str(path.resolve()) for path in sources(job)], '')
        if known.is_open(paths[0].relative_to(root).as_posix(), paths, stamp, lambda job=job: is_whole(job)):
            found.append(job)
    known.end_split()
    known.write()
    hashes.forget(path.relative_to(root).as_posix() for job in found for path in files(job))
    return found


class _States:
    """What the sources of samples were, by the samples' names: a hash of each.

    Args:
        names: Of N names, unsigned 64 bits.
        states: Of what the sources were.
    """

    def __init__(self, names: Sequence[int] | Array = (), states: Sequence[int] | Array = ()) -> None:
        table = np.array([names, states], dtype=np.uint64)
        self._names, self._states = table[:, np.argsort(table[0], kind='stable')]

    def __len__(self) -> int:
        return len(self._names)

    def get(self, sample: str) -> int | None:
        """Return what the source of a sample was; None where it is not known."""
        name = np.uint64(short_hash(sample))
        place = int(np.searchsorted(self._names, name))
        return int(self._states[place]) if place < len(self._names) and self._names[place] == name else None

    def exceed(self, others: Sequence[_States]) -> bool:
        """Return whether any sample is here that is in none of the ``others``."""
        found = np.zeros(len(self), dtype=bool)
        for other in filter(len, others):
            places = np.searchsorted(other._names, self._names)
            found |= other._names.take(places, mode='clip') == self._names
        return not found.all()

    @classmethod
    def read(cls, root: Path) -> _States:
        """Return what was written down; nothing where that is not there or damaged."""
        with suppress(FileNotFoundError, ValueError):
            return cls(*npy.load(root / _STATES))
        with suppress(FileNotFoundError, ValueError, AttributeError):
            found = json.loads((root / _STATES_BEFORE).read_text(encoding='utf-8'))
            return cls([*map(short_hash, found)], [*map(_short_state, found.values())])
        return cls()

    @staticmethod
    def write(parts: Sequence[_States], root: Path) -> None:
        """Write down those of all ``parts``."""
        path = root / _STATES
        path.parent.mkdir(exist_ok=True)
        npy.save(path, np.concatenate([(one._names, one._states) for one in parts], axis=1))
        (root / _STATES_BEFORE).unlink(missing_ok=True)


def _short_state(digest: str) -> int:
    """Return the first 64 bits of the digest of a stamp."""
    return int(digest[:16], 16)
