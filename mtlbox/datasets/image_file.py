"""Reading and writing pictures, and saying which one cannot be read or written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mtlbox.datasets.npy import write_whole
from mtlbox.tasks.base import Array

PNG_HEAD, PNG_END = b'\x89PNG\r\n\x1a\n', b'IEND\xaeB`\x82'
JPEG_HEAD, JPEG_END = b'\xff\xd8', b'\xff\xd9'
TAIL = 64  # bytes among which the end of a picture is looked for, for some programs append a few
_DEEP = ('I', 'F')  # modes of 16 and 32 bits, which would be cut off at 255
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

    pixels = _decode_plain(path)
    return _read(path, read, '8 bits a channel are') if pixels is None else pixels


def _decode_plain(path: str | Path) -> Array | None:
    """Return a whole JPEG, or PNG of 8 bits in colour or grey, as :func:`read_image` does; None for any other file.

    OpenCV takes half the time of Pillow for the same pixels. What it refuses is left to Pillow, which says why. It gets
    the bytes and not the path, of which it knows only those in the system's encoding.
    """
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f'There is no image {path}.') from None
    is_png = data.startswith(PNG_HEAD) and PNG_END in data[-TAIL:] and data[24:26] in (b'\x08\x00', b'\x08\x02')
    is_jpeg = data.startswith(JPEG_HEAD) and JPEG_END in data[-TAIL:]
    if not (is_png or is_jpeg):
        return None
    try:
        pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)


def read_map(path: str | Path) -> Array:
    """Return a picture of one channel as uint8 ``(H, W)``; one with a palette, as of classes, by its numbers.

    Raises:
        FileNotFoundError: There is no such file.
        PermissionError: It may not be read.
        ValueError: It is no picture, has colours or more than 8 bits, or is damaged; the message names the file.
    """
    return _read(path, lambda x: np.asarray(x) if x.mode in ('L', 'P') else None, 'one channel of 8 bits is')


def read_stored(path: str | Path) -> Array:
    """Return a picture as it is stored: uint8 or uint16, ``(H, W)`` or RGB ``(H, W, 3)``.

    For 16-bit pictures, of which Pillow reads those with colours as 8 bits, the lower of which are lost.

    Raises:
        FileNotFoundError: There is no such file.
        PermissionError: It may not be read.
        ValueError: It is no picture, or is damaged; the message names the file.
    """

    def read(picture: Image.Image) -> Array | None:
        picture.verify()  # OpenCV returns what it has of a damaged picture
        stored = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
        if stored is None or stored.dtype not in (np.uint8, np.uint16) or (stored.ndim == 3 and stored.shape[2] != 3):
            return None
        return stored if stored.ndim == 2 else np.ascontiguousarray(stored[..., ::-1])

    return _read(path, read, 'one channel or RGB of 8 or 16 bits is')


def _read(path: str | Path, read: Callable[[Image.Image], Array | None], expected: str) -> Array:
    """Return what ``read`` makes of the opened picture; None is refused."""
    try:
        with Image.open(path) as picture:
            mode = picture.mode
            array = read(picture)
    except FileNotFoundError:
        raise FileNotFoundError(f'There is no image {path}.') from None
    except UnidentifiedImageError:
        what = 'is empty (0 bytes)' if not Path(path).stat().st_size else 'is not a picture in a known format'
        raise ValueError(f'{path} {what}.') from None
    except Exception as error:  # damaged bytes end in any exception
        if isinstance(error, OSError) and error.errno is not None:  # the system's, which names the file
            raise
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
