"""MATLAB files (version 5), read with errors that name them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO

from scipy.io import loadmat

from mtlbox.datasets.opening import opened


def read_mat(path: str | Path, name: str) -> Any:
    """Return the variable ``name`` of a MATLAB file; arrays keep the shape that MATLAB gave them.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no MATLAB file of version 5, is damaged, or lacks ``name``; the message names the file.
    """
    with opened(path) as file:
        table = _read(file, path, name)
    if name not in table:
        raise ValueError(f'{path} does not hold {name!r}; it may be another kind of file, or damaged.')
    return table[name]


def _read(file: BinaryIO, path: str | Path, name: str) -> dict[str, Any]:
    if os.fstat(file.fileno()).st_size == 0:
        raise ValueError(f'{path} is empty (0 bytes).')
    try:
        return loadmat(file, variable_names=[name])
    except NotImplementedError:
        raise ValueError(f'{path} is a MATLAB file of version 7.3 (HDF5), but one of version 5 is expected.') from None
    except MemoryError:
        raise ValueError(f'{path} is damaged: it gives sizes that do not fit into memory.') from None
    except Exception as error:  # damaged bytes end in any exception, OSError among them
        if isinstance(error, OSError) and error.errno is not None:  # the system's
            raise
        raise ValueError(f'{path} is damaged and cannot be read as a MATLAB file: {error}.') from None
