"""NumPy files: checked without being read, loaded with errors that name them, written whole or not at all."""

from __future__ import annotations

import ast
import math
import os
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtlbox.datasets.opening import opened

_MAGIC = b'\x93NUMPY'
_FIRST_READ = 256  # the whole header of every array of up to a dozen dimensions
_LONGEST_HEADER = 10_000

Array = NDArray[Any]


class NpyHeader(NamedTuple):
    """What the head of a NumPy file says about the array in it."""

    shape: tuple[int, ...]
    dtype: np.dtype


def read_header(path: str | Path) -> NpyHeader:
    """Return the shape and type of the array in ``path``, and check by the file's size that it is all there.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is empty, is no NumPy file, has a damaged header, holds Python objects, or is shorter or
            longer than its header says.
    """
    with opened(path) as file:
        return _read_header(file, path)[0]


def _read_header(file: BinaryIO, path: str | Path) -> tuple[NpyHeader, int, Literal['C', 'F']]:
    """Return the header of an open file, where the numbers begin in it, and their order."""
    size = os.fstat(file.fileno()).st_size
    head = file.read(_FIRST_READ)
    if not head:
        raise ValueError(f'{path} is empty (0 bytes).')
    if head[:6] != _MAGIC:
        raise ValueError(f'{path} is not a NumPy file: it begins with {head[:12]!r} instead of {_MAGIC!r}.')
    width = 2 if head[6:7] == b'\x01' else 4
    start = 8 + width
    length = int.from_bytes(head[8:start], 'little')
    if length > _LONGEST_HEADER:
        raise ValueError(f'{path} has a damaged header: its length is given as {length} bytes.')
    if start + length > len(head):
        head += file.read(start + length - len(head))
    try:
        header, order = _parse(head[start : start + length])
    except Exception as error:  # damaged bytes end in any exception, MemoryError and OverflowError included
        raise ValueError(f'{path} has a damaged header ({type(error).__name__}: {error}).') from error
    if any(side < 0 for side in header.shape):
        raise ValueError(f'{path} has a damaged header: it gives the shape as {header.shape}.')
    if header.dtype.hasobject:
        raise ValueError(f'{path} holds Python objects, which are not read: an array of numbers is expected.')
    expected = start + length + math.prod(header.shape) * header.dtype.itemsize
    if size != expected:
        state = 'truncated' if size < expected else 'too long'
        raise ValueError(
            f'{path} is {state}: an array of shape {header.shape} and type {header.dtype} '
            f'takes {expected} bytes, but the file has {size}.'
        )
    return header, start + length, order


@lru_cache(maxsize=256)
def _parse(header: bytes) -> tuple[NpyHeader, Literal['C', 'F']]:
    """Read the literal dict of a header; the files of a data set have few different ones."""
    fields = ast.literal_eval(header.decode('latin1').strip())
    order: Literal['C', 'F'] = 'F' if fields['fortran_order'] else 'C'
    return NpyHeader(tuple(int(n) for n in fields['shape']), np.dtype(fields['descr'])), order


def load(path: str | Path) -> Array:
    """Return the array in ``path``; what may be raised is as for :func:`read_header`."""
    with opened(path) as file:
        header, start, order = _read_header(file, path)
        try:
            file.seek(start)
            numbers = np.fromfile(file, dtype=header.dtype, count=math.prod(header.shape))
            return numbers.reshape(header.shape, order=order)
        except OSError:
            raise
        except Exception as error:  # a shape or type that a damaged header gives and NumPy cannot have
            raise ValueError(f'{path} is damaged and cannot be read as a NumPy file: {error}') from error


def save(path: str | Path, array: Array) -> None:
    """Write ``array`` to ``path`` such that the file is either complete or absent, whenever the process ends."""
    write_whole(path, lambda file: np.save(file, array, allow_pickle=False))


def write_whole(path: str | Path, write: Callable[[BinaryIO], Any]) -> None:
    """Let ``write`` fill a file that appears at ``path`` when it is complete; links to an old file keep the old one."""
    target = Path(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f'.{target.name}.', suffix='.part', dir=target.parent)
    try:
        with os.fdopen(descriptor, 'wb') as file:
            write(file)
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
