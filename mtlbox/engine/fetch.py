"""Fetching a file over HTTP such that nothing is fetched twice, and nothing half or wrong is ever taken for it.

Only Python's own library is used: pooch, the usual choice, begins anew after a cut.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import PARTIAL_CONTENT, REQUESTED_RANGE_NOT_SATISFIABLE, HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm

try:
    import fcntl
except ImportError:  # on Windows two processes must not fetch one file
    fcntl = None  # type: ignore[assignment]

_BLOCK = 1 << 20
_PATIENCE = 60.0  # seconds without a byte
_TRIES = 5  # connections in a row that bring nothing


class WrongContentError(ValueError):
    """What was fetched is not what was expected."""


def fetch(
    url: str,
    path: str | Path,
    *,
    size: int | None = None,
    digest: str = '',
    quiet: bool = False,
    pause: float = 1.0,
) -> Path:
    """Fetch ``url`` to ``path``, which appears when it is complete and checked; do nothing where it is there.

    What has come is kept in ``{path}.part``, and only the rest is asked for: here and now after a cut, else by the next
    call. Where the server's file has changed meanwhile, or the server cannot send the rest, all is fetched again. A
    second process that wants the same file waits for the first.

    Args:
        url: ``http(s)://``.
        path: Where it goes.
        size: Bytes that it must have, where they are known.
        digest: ``'sha256:...'`` or ``'md5:...'``, hexadecimal, of which the beginning is enough; '' where not known.
        quiet: Show no progress bar.
        pause: Seconds before a connection is made again, doubled each time that it brings nothing.

    Raises:
        WrongContentError: It has another size or digest; what came is kept in ``{path}.wrong``.
        URLError: The server refuses, or cannot be reached; what has come is kept.
        OSError: The disk is full, or the folder cannot be written; what has come is kept.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + '.part')
    try:
        with _alone(part, path) as file:
            if file is not None:
                _Fetch(url, part, file, size, digest, quiet).complete(pause)
                file.flush()
                problem = _problem(part, size, digest)
                os.replace(part, path.with_name(path.name + '.wrong') if problem else path)
                _note(part).unlink(missing_ok=True)
                if problem:
                    raise WrongContentError(f'{url} {problem}. What came is kept as {path}.wrong.')
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        said = f'The disk is full; what has come of {url} is kept, and the same call fetches the rest'
        raise OSError(errno.ENOSPC, said, str(part)) from None
    return path


class _Fetch:
    """A file that is on its way."""

    def __init__(self, url: str, part: Path, file: BinaryIO, size: int | None, digest: str, quiet: bool) -> None:
        self.url, self.part, self.file, self.size, self.quiet = url, part, file, size, quiet
        self.checked = bool(digest)

    def complete(self, pause: float) -> None:
        """Make connections until everything is there; raise URLError where that makes no sense."""
        started, idle = self.file.seek(0, os.SEEK_END), 0
        while True:
            before = self.file.tell()
            try:
                if self.receive():
                    return
                problem = 'the connection was cut'
            except (HTTPException, URLError, ConnectionError, TimeoutError) as error:
                problem = str(getattr(error, 'reason', error))
            idle = 0 if self.file.tell() > before else idle + 1
            if self.file.tell() == started or idle == _TRIES:  # nothing has come at all, or no more does
                raise URLError(f'{self.url}: {problem}')
            time.sleep(pause * 2**idle)

    def receive(self) -> bool:
        """Append what one connection brings; return whether everything is there."""
        have, validator = self.file.tell(), self.validator()
        if have and not validator and not self.checked:  # the rest might be that of another file
            have = self.restart()
        headers = {'User-Agent': 'mtlbox', 'Accept-Encoding': 'identity'}
        if have:
            headers |= {'Range': f'bytes={have}-', **({'If-Range': validator} if validator else {})}
        try:
            answer = urlopen(Request(self.url, headers=headers), timeout=_PATIENCE)
        except HTTPError as error:
            if error.code != REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            if str(error.headers.get('Content-Range')).endswith(f'/{have}'):
                return True
            self.restart()
            return self.receive()
        with answer:
            if have and answer.status != PARTIAL_CONTENT:
                have = self.restart()
            length = answer.headers.get('Content-Length')
            total = self.size if length is None else have + int(length)
            if total is not None and total - have > shutil.disk_usage(self.part.parent).free:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.write_note(answer.headers)
            self.copy(answer, total)
        return total is None or self.file.tell() >= total

    def copy(self, answer: BinaryIO, total: int | None) -> None:
        """Append what the server sends, under a progress bar."""
        with tqdm(
            total=total,
            initial=self.file.tell(),
            unit='B',
            unit_scale=True,
            desc=self.part.stem,
            disable=self.quiet,
        ) as bar:
            try:
                while block := answer.read1(_BLOCK):  # type: ignore[attr-defined]
                    self.file.write(block)
                    bar.update(len(block))
            finally:
                self.file.flush()

    def restart(self) -> int:
        """Forget what has come."""
        self.file.seek(0)
        self.file.truncate()
        return 0

    def validator(self) -> str:
        """Return what the server knew the state of its file by when the first part was sent; '' where it is lost."""
        with suppress(OSError, ValueError, AttributeError):
            note = json.loads(_note(self.part).read_text(encoding='utf-8'))
            return str(note.get('validator', '')) if note.get('url') == self.url else ''
        return ''

    def write_note(self, headers: Mapping[str, str]) -> None:
        """Keep what the server knows the state of its file by."""
        tag = headers.get('ETag', '')
        validator = tag if tag.startswith('"') else headers.get('Last-Modified', '')
        _note(self.part).write_text(json.dumps({'url': self.url, 'validator': validator}), encoding='utf-8')


def _note(part: Path) -> Path:
    return part.with_name(part.name + '.json')


@contextmanager
def _alone(part: Path, path: Path) -> Iterator[BinaryIO | None]:
    """Open ``part`` for this process alone; give None where ``path`` is there, or another process has made it."""
    while not path.is_file():
        with os.fdopen(os.open(part, os.O_RDWR | os.O_CREAT, 0o644), 'r+b') as file:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
                if not part.exists() or not os.path.samestat(os.fstat(file.fileno()), part.stat()):
                    continue  # another process was faster
            yield file
            return
    yield None


def _problem(part: Path, size: int | None, digest: str) -> str:
    """Say what is wrong with a file; '' where nothing is."""
    found = part.stat().st_size
    if size is not None and found != size:
        return f'has {found} bytes, but {size} are expected'
    kind, _, wanted = digest.partition(':')
    if not wanted:
        return ''
    hasher = hashlib.new(kind)
    with open(part, 'rb') as file:
        while block := file.read(_BLOCK):
            hasher.update(block)
    if hasher.hexdigest().startswith(wanted.lower()):
        return ''
    return f'has the {kind} {hasher.hexdigest()}, but {wanted} is expected'
