"""The SHA-256 of every file of a conversion, in the form that ``sha256sum --check`` reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from mtlbox.datasets.layouts.writing import write_text
from mtlbox.datasets.verdict import FOLDER

HASHES = 'SHA256SUMS'
"""Name of the file below the root."""
_BLOCK = 1 << 20


class Hashes:
    """The hashes of a folder, written down as files are written, so that a conversion that was killed keeps them.

    Args:
        root: The folder, which is the conversion's own.
    """

    def __init__(self, root: Path) -> None:
        self.root, self._path = root, root / HASHES
        self._known: dict[str, str] = {}
        if self._path.is_file():
            *lines, rest = self._path.read_text(encoding='utf-8').split('\n')
            for line in lines:
                digest, _, name = line.partition('  ')
                self._known[name] = digest
            if rest:  # a line that was cut off
                self._write()

    def note(self, results: Iterable[Mapping[Path, str]]) -> None:
        """Write the hashes of files down as they come."""
        for written in results:
            lines = {path.relative_to(self.root).as_posix(): digest for path, digest in written.items()}
            self._known |= lines
            with open(self._path, 'a', encoding='utf-8') as file:
                file.write(''.join(f'{digest}  {name}\n' for name, digest in lines.items()))

    def finish(self) -> None:
        """Let there be a line for every file in the folder, and no other line; remove what kills left half written."""
        files = {}
        for path in self.root.rglob('*'):
            name = path.relative_to(self.root)
            if path.name.startswith('.') and path.suffix == '.part':
                path.unlink()
            elif path.is_file() and path != self._path and name.parts[0] != FOLDER:
                files[name.as_posix()] = path
        self._known = {name: self._known.get(name) or _hash(files[name]) for name in sorted(files)}
        self._write()

    def _write(self) -> None:
        write_text(self._path, ''.join(f'{digest}  {name}\n' for name, digest in self._known.items()))


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
