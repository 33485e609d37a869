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
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from mmengine.logging import print_log

from mtlbox.datasets.npy import write_whole
from mtlbox.tasks.base import Array
from mtlbox.version import __version__

try:
    import fcntl
except ImportError:  # on Windows each process reads by itself
    fcntl = None  # type: ignore[assignment]

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
        _write_verdict(root, name, digests)
    return True


def ask_once(root: str | Path, key: Sequence[str], files: Iterable[str], find: Callable[[], str]) -> str:
    """Return what ``find`` finds out about some files, or found out about the same files, unchanged, before.

    Of processes that ask at once, as the ranks of a training do, one reads the files and the others wait for it.

    Args:
        root: Folder of the data.
        key: What is asked, of which files, e.g. data set, split and label.
        files: The files.
        find: Reads them.
    """
    started, root = time.time_ns(), str(root)
    stamp, name = Stamp(files, root), _file_name('found', key) + '.json'
    if not stamp.settled(started):
        return find()
    known = _find_answer(_read_verdicts(root, name), stamp)
    if known is not None:
        return known
    with _alone(root, name):
        known = _find_answer(_read_verdicts(root, name), stamp)  # of another process
        if known is not None:
            return known
        found = find()
        _write_verdict(root, name, {'files': stamp.digest, 'found': found})
    return found


def _find_answer(verdicts: Iterable[Mapping[str, str]], stamp: Stamp) -> str | None:
    return next((one['found'] for one in verdicts if one.get('files') == stamp.digest and 'found' in one), None)


@contextmanager
def _alone(root: str, name: str) -> Iterator[None]:
    """Let other processes wait that come here for the same; where that cannot be, nobody waits."""
    with ExitStack() as stack:
        for place in _places(root) if fcntl is not None else ():
            with suppress(OSError):
                place.mkdir(parents=True, exist_ok=True)
                _lock(stack.enter_context(open(place / f'{name}.lock', 'a')))
                break
        yield


def _lock(file: IO[str]) -> None:
    """Lock a file; say so where that takes waiting."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print_log(f'Another process reads the same files; waiting for what it finds ({file.name}).', 'current')
        fcntl.flock(file, fcntl.LOCK_EX)


def _write_verdict(root: str, name: str, verdict: dict[str, str]) -> None:
    """Write a verdict before those of its place that it does not stand for."""
    for place in _places(root):
        with suppress(OSError):  # it is a convenience: a full or a write-protected disk must not stop a training
            place.mkdir(parents=True, exist_ok=True)
            kept = [one for one in _read_place(place, name) if not one.items() <= verdict.items()]
            text = json.dumps({**_FORMAT, 'verdicts': [verdict, *kept][:_KEPT]}, indent=1).encode()
            write_whole(place / name, lambda file, text=text: file.write(text))
            break


def _read_verdicts(root: str, name: str) -> list[dict[str, str]]:
    """Return the verdicts of all places: the data's own may be on other files, and not ours to write."""
    return [verdict for place in _places(root) for verdict in _read_place(place, name)]


def _read_place(place: Path, name: str) -> list[dict[str, str]]:
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

    Entries stay in the file, a line each; in memory are a hash of the sample's name and where its line begins, 16 bytes
    an entry.

    Args:
        root: Folder of the data.
        key: What is looked at, e.g. data set, layout and labels.
    """

    def __init__(self, root: str | Path, key: Sequence[str]) -> None:
        self._root, self._name = str(root), _file_name('verify', key) + '.jsonl'
        self._hashes, self._begins = np.zeros((2, 0), dtype=np.uint64)
        self._before: IO[bytes] | None = None  # what was found by earlier runs
        self._file: IO[str] | None = None
        for place in _places(self._root):
            with suppress(OSError, ValueError):
                self._before = _open_journal(place / self._name)
                self._hashes, self._begins = _index(self._before)
                break

    def close(self) -> None:
        """Close the file that was there."""
        if self._before is not None:
            self._before.close()

    def forget(self, samples: Iterable[str]) -> None:
        """Drop the entries of some samples."""
        for sample in samples:
            self._begins[self._range(sample)] = 0

    def get(self, sample: str, stamp: Stamp | None = None) -> Any:
        """Return the entry of a sample as it was at the start; None where there is none.

        Args:
            sample: Its name.
            stamp: State of its files; an entry that was made in another one is none. By default any will do.
        """
        begins = self._begins[self._range(sample)]
        if self._before is None or not begins.size or not begins[-1]:
            return None
        self._before.seek(int(begins[-1]))  # the latest
        name, known, entry = json.loads(self._before.readline())
        return entry if name == sample and (stamp is None or known == stamp.digest) else None

    def add(self, sample: str, stamp: Stamp, looked: int, entry: Any) -> None:
        """Keep what was found out at the time ``looked``, unless the files had only just changed."""
        if self._file is not None and stamp.settled(looked):
            self._file.write(json.dumps([sample, stamp.digest, entry]) + '\n')
            self._file.flush()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep new entries beside the others while the context lasts; where no place can be written, keep none."""
        with ExitStack() as stack:
            for place in _places(self._root):
                with suppress(OSError):
                    place.mkdir(parents=True, exist_ok=True)
                    write_whole(place / self._name, self._copy)
                    self._file = stack.enter_context(open(place / self._name, 'a', encoding='utf-8'))
                    break
            yield
        self._file = None

    def _range(self, sample: str) -> slice:
        """Return which entries of the index have the hash of a sample."""
        key = np.uint64(short_hash(sample))
        return slice(*(int(np.searchsorted(self._hashes, key, side)) for side in ('left', 'right')))

    def _copy(self, file: IO[bytes]) -> None:
        """Write the latest entry of each sample that was not forgotten."""
        file.write(json.dumps(_FORMAT).encode() + b'\n')
        if self._before is None:
            return
        latest = np.append(self._hashes[1:] != self._hashes[:-1], True)[: len(self._hashes)]
        for begin in np.sort(self._begins[latest & (self._begins > 0)]).tolist():
            self._before.seek(begin)
            file.write(self._before.readline().rstrip(b'\n') + b'\n')


def short_hash(sample: str) -> int:
    """Return a number of 64 bits that stands for a name."""
    return int.from_bytes(hashlib.blake2b(sample.encode('utf-8', 'surrogatepass'), digest_size=8).digest(), 'big')


def _open_journal(path: Path) -> IO[bytes]:
    """Open a journal behind its first line; raise ValueError where that is not ours."""
    with ExitStack() as stack:
        file = stack.enter_context(open(path, 'rb'))
        if json.loads(file.readline()) != _FORMAT:
            raise ValueError(f'{path} is of another version.')
        stack.pop_all()  # stays open
        return file


def _index(file: IO[bytes]) -> tuple[Array, Array]:
    """Return the hashes of the samples of a journal, sorted, and where their lines begin; of equals the latest last."""
    hashes, begins, begin = array('Q'), array('Q'), file.tell()
    for line in file:
        with suppress(ValueError, TypeError):  # the last line of a run that was killed
            sample, _, _ = json.loads(line)
            hashes.append(short_hash(sample))
            begins.append(begin)
        begin += len(line)
    order = np.argsort(np.frombuffer(hashes, dtype=np.uint64), kind='stable')
    return np.frombuffer(hashes, dtype=np.uint64)[order], np.frombuffer(begins, dtype=np.uint64)[order]
