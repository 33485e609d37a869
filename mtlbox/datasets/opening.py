"""Opening files such that what the system refuses is said in words that name the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def opened(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file to read its bytes; errors of the system while it is open are told as those of the file.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It may not or cannot be read; of the system's own class, e.g. PermissionError.
    """
    try:
        with open(path, 'rb') as file:
            yield file
    except OSError as error:
        if error.errno is None:  # not the system's
            raise
        missing = isinstance(error, FileNotFoundError)
        said = f'There is no file {path}.' if missing else f'{path} cannot be read: {error.strerror}.'
        raise type(error)(said) from None
