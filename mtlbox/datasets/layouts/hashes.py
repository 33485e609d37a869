"""The SHA-256 of every file of a conversion, in the form that ``sha256sum --check`` reads.

Lines are sorted in parts and folders listed one by one: what is held does not grow with the number of files. While a
conversion is under way, a line without a hash says that the lines before it of that file do not count.
"""

from __future__ import annotations

import hashlib
import heapq
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryFile

from mtlbox.datasets.npy import write_whole
from mtlbox.datasets.verdict import FOLDER

HASHES = 'SHA256SUMS'
"""Name of the file below the root."""
_BLOCK = 1 << 20
_LINES = 1 << 16  # that are sorted at a time
_LONGEST_LINE = 1 << 16


class Hashes:
    """The hashes of a folder, written down as files are written, so that a conversion that was killed keeps them.

    Args:
        root: The folder, which is the conversion's own.
    """

    def __init__(self, root: Path) -> None:
        self.root, self._path = root, root / HASHES
        if self._path.is_file():
            _end_with_a_line(self._path)

    def forget(self, names: Iterable[str]) -> None:
        """Drop the hashes of files that are about to be written; of those that are not noted then, the files are read.

        Args:
            names: Their paths below the root.
        """
        if self._path.is_file():
            with open(self._path, 'a', encoding='utf-8', errors='surrogateescape') as file:
                file.writelines(_line('', name) for name in names)

    def note(self, results: Iterable[Mapping[Path, str]]) -> None:
        """Write the hashes of files down as they come."""
        for written in results:
            with open(self._path, 'a', encoding='utf-8', errors='surrogateescape') as file:
                for path, digest in written.items():
                    file.write(_line(digest, path.relative_to(self.root).as_posix()))

    def finish(self) -> None:
        """Let there be a line for every file in the folder, and no other line; remove what kills left half written."""
        for path in self.root.rglob('.*.part'):
            path.unlink()
        write_whole(
            self._path, lambda file: file.writelines(line.encode('utf-8', 'surrogateescape') for line in self._lines())
        )

    def _lines(self) -> Iterator[str]:
        """Yield the line of every file, by name; a file of which nothing was written down is read."""
        noted = _noted(self._path)
        known, digest = next(noted, ('', ''))
        for name in files_below(self.root):
            while known and known < name:
                known, digest = next(noted, ('', ''))
            yield _line((known == name and digest) or _hash(self.root / name), name)


def _line(digest: str, name: str) -> str:
    return f'{digest}  {name}\n'


def _name_in(line: str) -> str:
    return line.rstrip('\n').partition('  ')[2]


def _end_with_a_line(path: Path) -> None:
    """Remove what a kill left of the last line."""
    with open(path, 'r+b') as file:
        start = max(file.seek(0, os.SEEK_END) - _LONGEST_LINE, 0)
        file.seek(start)
        file.truncate(start + file.read().rfind(b'\n') + 1)


def _noted(path: Path) -> Iterator[tuple[str, str]]:
    """Yield name and hash of each file that lines were written of, by name; the latest one."""
    with ExitStack() as stack:
        parts = []
        aside = path.parent / FOLDER  # on NFS an open file without a name has one in its folder
        if path.is_file():
            aside.mkdir(exist_ok=True)
            with open(path, newline='\n', encoding='utf-8', errors='surrogateescape') as file:
                while lines := sorted(islice(file, _LINES), key=_name_in):
                    part = stack.enter_context(
                        TemporaryFile('w+', newline='\n', dir=aside, encoding='utf-8', errors='surrogateescape')
                    )
                    part.writelines(lines)
                    lines.clear()  # before the next are taken
                    part.seek(0)
                    parts.append(part)
        for name, same in groupby(heapq.merge(*parts, key=_name_in), key=_name_in):
            *_, latest = same
            yield name, latest.partition('  ')[0]


def files_below(folder: Path, above: str = '') -> Iterator[str]:
    """Yield the names of the files below the root that are the conversion's, sorted; one folder is held at a time."""
    entries = {}
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                entries[f'{entry.name}/'] = True  # with its slash it is where the names in it belong
            elif entry.is_file():
                entries[entry.name] = False
    for name, is_folder in sorted(entries.items()):
        if not above and name in (f'{FOLDER}/', HASHES):
            continue
        if is_folder:
            yield from files_below(folder / name, above + name)
        elif not (name.startswith('.') and name.endswith('.part')):
            yield above + name


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
