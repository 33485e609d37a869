"""A look at the head, the end and the length of a file, to find damage before training starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from mtlbox.datasets import npy
from mtlbox.datasets.image_file import JPEG_END, JPEG_HEAD, PNG_END, PNG_HEAD, TAIL
from mtlbox.datasets.opening import opened

_MAT_HEAD = 128
_MAT_VERSION_5 = (b'\x00\x01IM', b'\x01\x00MI')


def probe(path: str | Path) -> tuple[int, int] | None:
    """Look whether the file is of the kind that its suffix says and complete; return (H, W) where the head tells it.

    Known are ``.npy``, ``.png``, ``.jpg``, ``.jpeg`` and ``.mat`` of version 5; other files are
    not looked at but for being there and not empty. Damage in the middle is not seen.

    Raises:
        OSError: There is no such file, or it may not be read.
        ValueError: It is empty, of another kind, or truncated; the message names the file.
    """
    return _PROBES.get(Path(path).suffix.lower(), _probe_other)(path)


def _probe_npy(path: str | Path) -> tuple[int, int] | None:
    shape = npy.read_header(path).shape
    return (shape[0], shape[1]) if len(shape) in (2, 3) else None


def _probe_png(path: str | Path) -> tuple[int, int]:
    head, tail = _ends(path, 24)
    _require(path, head.startswith(PNG_HEAD) and len(head) == 24, 'is not a PNG picture', head)
    _require(path, PNG_END in tail, 'is truncated: the end of a PNG picture is missing')
    return int.from_bytes(head[20:24], 'big'), int.from_bytes(head[16:20], 'big')


def _probe_jpeg(path: str | Path) -> None:
    head, tail = _ends(path, 12)
    _require(path, head.startswith(JPEG_HEAD), 'is not a JPEG picture', head)
    _require(path, JPEG_END in tail, 'is truncated: the end of a JPEG picture is missing')


def _probe_mat(path: str | Path) -> None:
    head, _ = _ends(path, _MAT_HEAD + 8)
    _require(path, head[124:128] in _MAT_VERSION_5, 'is not a MATLAB file of version 5', head)
    _require(path, len(head) == _MAT_HEAD + 8, 'is truncated: it holds no variable')
    order = 'little' if head[126:128] == b'IM' else 'big'
    position = _MAT_HEAD
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        while position < size:  # from variable to variable
            file.seek(position)
            tag = file.read(8)
            position += 8 + int.from_bytes(tag[4:8], order)  # type: ignore[arg-type]
            if len(tag) < 8 or position > size:
                raise ValueError(f'{path} is truncated: it has {size} bytes, but its last variable needs more.')


def _probe_other(path: str | Path) -> None:
    _ends(path, 1)


def _ends(path: str | Path, length: int) -> tuple[bytes, bytes]:
    with opened(path) as file:
        head = file.read(length)
        if not head:
            raise ValueError(f'{path} is empty (0 bytes).')
        file.seek(max(os.fstat(file.fileno()).st_size - TAIL, 0))
        return head, file.read()


def _require(path: str | Path, fits: bool, complaint: str, head: bytes = b'') -> None:
    if not fits:
        begins = f': it begins with {head[:12]!r}' if head else ''
        raise ValueError(f'{path} {complaint}{begins}.')


_PROBES: dict[str, Callable[[str | Path], tuple[int, int] | None]] = {
    '.npy': _probe_npy,
    '.png': _probe_png,
    '.jpg': _probe_jpeg,
    '.jpeg': _probe_jpeg,
    '.mat': _probe_mat,
}
