"""Reading and writing pictures, and saying which one cannot be read or written."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mtlbox.datasets.npy import write_whole
from mtlbox.datasets.opening import opened
from mtlbox.tasks.base import Array

PNG_HEAD, PNG_END = b'\x89PNG\r\n\x1a\n', b'IEND\xaeB`\x82'
JPEG_HEAD, JPEG_END = b'\xff\xd8', b'\xff\xd9'
TAIL = 64  # bytes among which the end of a picture is looked for, for some programs append a few
_DEEP = ('I', 'F')  # modes of 16 and 32 bits, which would be cut off at 255
_GREY, _COLOUR, _DEEP_GREY, _DEEP_COLOUR = b'\x08\0', b'\x08\2', b'\x10\0', b'\x10\2'  # bits and colours of a PNG
IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')


def read_image(path: str | Path) -> Array:
    """Return a picture as RGB uint8 ``(H, W, 3)``, turned as its EXIF data say.

    Raises:
        FileNotFoundError: There is no such file.
        PermissionError: It may not be read.
        ValueError: It is no picture, has more than 8 bits a channel, or is damaged; the message names the file.
    """

    def read(picture: Image.Image) -> Array | None:
        if picture.mode.startswith(_DEEP):
            return None
        return np.asarray(ImageOps.exif_transpose(picture).convert('RGB'))

    data = _bytes_of(path)
    pixels = _decode_plain(data)
    return _read(path, data, read, '8 bits a channel are') if pixels is None else pixels


def _decode_plain(data: bytes) -> Array | None:
    """Return a whole JPEG, or PNG of 8 bits in colour or grey, as :func:`read_image` does; None for any other file."""
    is_jpeg = data.startswith(JPEG_HEAD) and JPEG_END in data[-TAIL:]
    if not (is_jpeg or _is_whole_png(data, _GREY, _COLOUR)):
        return None
    pixels = _decode(data, cv2.IMREAD_COLOR)
    return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)


def read_map(path: str | Path) -> Array:
    """Return a picture of one channel as uint8 ``(H, W)``; one with a palette, as of classes, by its numbers.

    Raises:
        FileNotFoundError: There is no such file.
        PermissionError: It may not be read.
        ValueError: It is no picture, has colours or more than 8 bits, or is damaged; the message names the file.
    """

    def read(picture: Image.Image) -> Array | None:
        return np.asarray(picture) if picture.mode in ('L', 'P') else None

    data = _bytes_of(path)
    stored = _decode(data, cv2.IMREAD_GRAYSCALE) if _is_whole_png(data, _GREY) else None
    return _read(path, data, read, 'one channel of 8 bits is') if stored is None else stored


def read_stored(path: str | Path) -> Array:
    """Return a picture as it is stored: uint8 or uint16, ``(H, W)`` or RGB ``(H, W, 3)``.

    For 16-bit pictures, of which Pillow reads those with colours as 8 bits, the lower of which are lost.

    Raises:
        FileNotFoundError: There is no such file.
        PermissionError: It may not be read.
        ValueError: It is no picture, or is damaged; the message names the file.
    """

    def decode() -> Array | None:
        stored = _decode(data, cv2.IMREAD_UNCHANGED)
        if stored is None or stored.dtype not in (np.uint8, np.uint16) or (stored.ndim == 3 and stored.shape[2] != 3):
            return None
        return stored if stored.ndim == 2 else cv2.cvtColor(stored, cv2.COLOR_BGR2RGB, dst=stored)

    def read(picture: Image.Image) -> Array | None:
        picture.verify()  # of other files than PNG OpenCV returns what it has, damaged or not
        return decode()

    data = _bytes_of(path)
    stored = decode() if _is_whole_png(data, _GREY, _COLOUR, _DEEP_GREY, _DEEP_COLOUR) else None
    return _read(path, data, read, 'one channel or RGB of 8 or 16 bits is') if stored is None else stored


def _bytes_of(path: str | Path) -> bytes:
    """Return what the file holds, which is read once, whoever decodes it."""
    with opened(path) as file:
        return file.read()


def _is_whole_png(data: bytes, *kinds: bytes) -> bool:
    """Return whether the bytes are those of a PNG up to its end, of one of these depths and colour types."""
    return data.startswith(PNG_HEAD) and PNG_END in data[-TAIL:] and data[24:26] in kinds


def _decode(data: bytes, how: int) -> Array | None:
    """Return what OpenCV makes of the bytes, None where it refuses them.

    For the same pixels it takes less time than Pillow, of a JPEG two thirds, of a PNG nine tenths. What it refuses is
    left to Pillow, which says why. It gets bytes and not a path, of which it knows only those in the system's encoding.
    """
    try:
        return cv2.imdecode(np.frombuffer(data, dtype=np.uint8), how)
    except cv2.error:
        return None


def _read(path: str | Path, data: bytes, read: Callable[[Image.Image], Array | None], expected: str) -> Array:
    """Return what ``read`` makes of the picture that Pillow sees in the bytes; None is refused."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            mode = picture.mode
            array = read(picture)
    except UnidentifiedImageError:
        what = 'is not a picture in a known format' if data else 'is empty (0 bytes)'
        raise ValueError(f'{path} {what}.') from None
    except Exception as error:  # damaged bytes end in any exception
        raise ValueError(f'{path} is damaged and cannot be read as a picture: {error}.') from None
    if array is None:
        raise ValueError(f'{path} has pixels of the mode {mode!r}, but {expected} expected.')
    return array


def encode_picture(path: str | Path, picture: Array, suffix: str) -> bytes:
    """Return what the file ``path`` is to hold.

    Args:
        path: Where it will be written, which messages name.
        picture: RGB ``(H, W, 3)`` or ``(H, W)``, uint8; of a PNG also uint16.
        suffix: ``'.png'`` or ``'.jpg'``.

    Raises:
        ValueError: The array is no such picture.
    """
    done = picture.dtype == np.uint8 or (picture.dtype == np.uint16 and suffix == '.png')  # OpenCV would cut others off
    if done:
        options = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix == '.jpg' else []
        try:
            done, encoded = cv2.imencode(suffix, picture[..., ::-1] if picture.ndim == 3 else picture, options)
        except cv2.error:
            done = False
    if not done:
        raise ValueError(f'{path} cannot be written: {picture.dtype} {picture.shape} is no picture.')
    return encoded.tobytes()


def write_png(path: str | Path, picture: Array) -> None:
    """Write a picture, RGB ``(H, W, 3)`` or ``(H, W)`` of uint8 or uint16; the file is whole or not there.

    Raises:
        OSError: It cannot be written.
        ValueError: The array is no picture.
    """
    encoded = encode_picture(path, picture, '.png')
    write_whole(path, lambda file: file.write(encoded))
