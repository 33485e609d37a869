"""Verdicts on the files of a data set, kept so that nobody looks at a file again before it changes.

They lie in the folder ``.mtlbox`` of the data, or where that may not be written, in the user's cache
(``XDG_CACHE_HOME``, else ``~/.cache``). A file counts as unchanged while its size, its time of change (in nanoseconds)
and its permissions are the same. A file that had changed less than two seconds before it was looked at gets no verdict,
for it could change once more within the resolution of its clock. Deleting the folder forgets everything.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from mtlbox.datasets.npy import write_whole
from mtlbox.version import __version__

FOLDER = '.mtlbox'
"""Name of the folder beside the data."""
_FORMAT = {'format': 3, 'mtlbox': __version__}
_SETTLED = 2_000_000_000  # nanoseconds
_KEPT = 8  # verdicts of one split, for different choices of labels


class Stamp:
    """The state of some files.

    Args:
        files: Their paths.
        root: What the paths begin with, which is left out, so that a folder may be moved.

    Attributes:
        digest: Stands for the names, sizes, times and permissions.
        newest: The latest time of change, in nanoseconds; None where a file is not there.
    """

    def __init__(self, files: Iterable[str], root: str) -> None:
        digest, newest, missing = hashlib.blake2b(digest_size=16), 0, False
        root = root.rstrip('/') + '/'
        for file in files:
            name = file.removeprefix(root)
            try:
                stat = os.stat(file)
                state = f'{name} {stat.st_size} {stat.st_mtime_ns} {stat.st_mode}\n'
                newest = max(newest, stat.st_mtime_ns)
            except OSError:
                missing, state = True, f'{name} -\n'
            digest.update(state.encode('utf-8', 'surrogateescape'))
        self.digest = digest.hexdigest()
        self.newest = None if missing else newest

    def settled(self, looked: int) -> bool:
        """Return whether all files were there and had not changed for a while at the time ``looked``."""
        return self.newest is not None and self.newest + _SETTLED < looked


def look_once(
    root: str | Path, key: Sequence[str], kinds: Mapping[str, Iterable[str]], look: Callable[[], None]
) -> bool:
    """Call ``look`` unless it came through before on the same files, unchanged; return whether it was called.

    Args:
        root: Folder of the data.
        key: What the files are, e.g. data set, layout and split.
        kinds: The files by kind, i.e. by the place that they have in common, each gone through once. A verdict on more
            kinds stands for fewer; those on other choices of files are kept beside it.
        look: Raises what is wrong with the files.
    """
    started, root = time.time_ns(), str(root)
    stamps = {kind: Stamp(files, root) for kind, files in kinds.items()}
    digests = {kind: stamp.digest for kind, stamp in stamps.items()}
    name = _file_name('start', key) + '.json'
    kept = _read_verdicts(root, name)
    settled = all(stamp.settled(started) for stamp in stamps.values())
    if settled and any(digests.items() <= verdict.items() for verdict in kept):
        return False
    look()
    if settled:
        _write_verdicts(root, name, [digests, *(verdict for verdict in kept if not verdict.items() <= digests.items())])
    return True


def ask_once(root: str | Path, key: Sequence[str], files: Iterable[str], find: Callable[[], str]) -> str:
    """Return what ``find`` finds out about some files, or found out about the same files, unchanged, before.

    Args:
        root: Folder of the data.
        key: What is asked, of which files, e.g. data set, split and label.
        files: The files.
        find: Reads them.
    """
    started, root = time.time_ns(), str(root)
    stamp, name = Stamp(files, root), _file_name('found', key) + '.json'
    kept = _read_verdicts(root, name)
    settled = stamp.settled(started)
    for verdict in kept:
        if settled and verdict.get('files') == stamp.digest and 'found' in verdict:
            return verdict['found']
    found = find()
    if settled:
        _write_verdicts(root, name, [{'files': stamp.digest, 'found': found}, *kept])
    return found


def _write_verdicts(root: str, name: str, latest: Sequence[dict[str, str]]) -> None:
    text = json.dumps({**_FORMAT, 'verdicts': latest[:_KEPT]}, indent=1).encode()
    for place in _places(root):
        with suppress(OSError):  # it is a convenience: a full or a write-protected disk must not stop a training
            place.mkdir(parents=True, exist_ok=True)
            write_whole(place / name, lambda file: file.write(text))
            break


def _read_verdicts(root: str, name: str) -> list[dict[str, str]]:
    for place in _places(root):
        with suppress(OSError, ValueError):
            found = json.loads((place / name).read_text(encoding='utf-8'))
            if isinstance(found, dict) and found.items() >= _FORMAT.items():
                return [verdict for verdict in found.get('verdicts', []) if isinstance(verdict, dict)]
    return []


def _places(root: str) -> Iterator[Path]:
    """Give the folders that verdicts may lie in, the best first."""
    yield Path(root, FOLDER)
    where = hashlib.blake2b(os.fsencode(os.path.realpath(root)), digest_size=8).hexdigest()
    with suppress(RuntimeError):  # a user without a home
        cache = os.environ.get('XDG_CACHE_HOME') or Path('~/.cache').expanduser()
        yield Path(cache, 'mtlbox', 'verdicts', where)


def _file_name(what: str, key: Sequence[str]) -> str:
    return '-'.join([what, *(part.replace('/', '_') for part in key)])


class Journal:
    """What was found out about each sample, written down as it is found, so that a killed run goes on.

    Args:
        root: Folder of the data.
        key: What is looked at, e.g. data set, layout and labels.
    """

    def __init__(self, root: str | Path, key: Sequence[str]) -> None:
        self._root, self._name = str(root), _file_name('verify', key) + '.jsonl'
        self._found = self._read()
        self._file: IO[str] | None = None

    def forget(self, samples: Iterable[str]) -> None:
        """Drop the entries of some samples."""
        for sample in samples:
            self._found.pop(sample, None)

    def get(self, sample: str, stamp: Stamp) -> Any:
        """Return the entry of a sample whose files have not changed since it was made; None where there is none."""
        known, entry = self._found.get(sample, ('', None))
        return entry if known == stamp.digest else None

    def add(self, sample: str, stamp: Stamp, looked: int, entry: Any) -> None:
        """Keep what was found out at the time ``looked``, unless the files had only just changed."""
        if self._file is not None and stamp.settled(looked):
            self._found[sample] = (stamp.digest, entry)
            self._file.write(self._line(sample))
            self._file.flush()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep new entries beside the others while the context lasts; where no place can be written, keep none."""
        lines = [json.dumps(_FORMAT) + '\n', *map(self._line, self._found)]
        with ExitStack() as stack:
            for place in _places(self._root):
                with suppress(OSError):
                    place.mkdir(parents=True, exist_ok=True)
                    write_whole(place / self._name, lambda file: file.write(''.join(lines).encode()))
                    self._file = stack.enter_context(open(place / self._name, 'a', encoding='utf-8'))
                    break
            yield
        self._file = None

    def _line(self, sample: str) -> str:
        return json.dumps([sample, *self._found[sample]]) + '\n'

    def _read(self) -> dict[str, tuple[str, Any]]:
        for place in _places(self._root):
            with suppress(OSError, ValueError):
                header, *lines = (place / self._name).read_text(encoding='utf-8').splitlines()
                if json.loads(header) == _FORMAT:
                    return dict(_entries(lines))
        return {}


def _entries(lines: Sequence[str]) -> Iterator[tuple[str, tuple[str, Any]]]:
    for line in lines:
        with suppress(ValueError, TypeError):  # the last line of a run that was killed
            sample, digest, entry = json.loads(line)
            yield sample, (digest, entry)
