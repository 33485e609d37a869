from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from mtlbox.datasets import image_file
from mtlbox.datasets.image_file import read_image, read_map, read_stored

TURNED = Image.Exif()
TURNED[0x0112] = 6


@pytest.fixture
def picture() -> np.ndarray:
    return cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (30, 41, 3), dtype=np.uint8), (0, 0), 3)


@pytest.mark.parametrize(
    ('suffix', 'mode', 'options', 'by_opencv'),
    [
        ('.jpg', 'RGB', {}, True),
        ('.jpg', 'RGB', {'exif': TURNED, 'subsampling': 0}, True),
        ('.jpg', 'RGB', {'progressive': True}, True),
        ('.jpg', 'L', {}, True),
        ('.png', 'RGB', {}, True),
        ('.png', 'RGB', {'exif': TURNED}, True),
        ('.png', 'L', {}, True),
        ('.png', 'P', {}, False),
        ('.png', 'RGBA', {}, False),
        ('.png', '1', {}, False),
        ('.bmp', 'RGB', {}, False),
    ],
)
def test_the_pixels_are_those_of_pillow(
    picture: np.ndarray, tmp_path: Path, suffix: str, mode: str, options: dict[str, Any], by_opencv: bool
) -> None:
    path = tmp_path / f'фото{suffix}'
    Image.fromarray(picture).convert(mode).save(path, **options)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert('RGB'))
    assert (image_file._decode_plain(path.read_bytes()) is not None) == by_opencv
    read = read_image(path)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize(('mode', 'options'), [('L', {}), ('L', {'transparency': 3}), ('P', {}), ('L', {'bits': 4})])
def test_the_numbers_of_a_map_are_those_of_pillow(
    picture: np.ndarray, tmp_path: Path, mode: str, options: dict[str, Any]
) -> None:
    path = tmp_path / 'a.png'
    Image.fromarray(picture).convert(mode).save(path, **options)
    expected = np.asarray(Image.open(path))
    read = read_map(path)
    assert read.dtype == np.uint8 and len(np.unique(read)) > 3
    np.testing.assert_array_equal(read, expected)


def test_an_error_of_the_system_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    path.symlink_to('a.png')
    for read in (read_image, read_map):
        with pytest.raises(OSError, match=r'a\.png cannot be read: Too many levels of symbolic links\.$'):
            read(path)


@pytest.mark.parametrize(
    ('read', 'channels', 'kind'),
    [
        (read_image, 3, np.uint8),
        (read_image, 1, np.uint8),
        (read_map, 1, np.uint8),
        (read_stored, 1, np.uint16),
        (read_stored, 3, np.uint16),
    ],
)
def test_damaged_pixels_of_a_png_are_never_returned(
    tmp_path: Path, read: Callable[[Path], np.ndarray], channels: int, kind: type
) -> None:
    rng, path = np.random.default_rng(0), tmp_path / 'a.png'
    picture = rng.integers(0, np.iinfo(kind).max, (40, 30, channels)).astype(kind)
    cv2.imwrite(str(path), picture)
    red = stored[..., 0] if (stored := read(path)).ndim == 3 else stored
    np.testing.assert_array_equal(red, picture[..., -1], strict=True)
    whole = path.read_bytes()
    for at in rng.integers(60, len(whole) - 20, 10):  # between the heads and the end
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
        with pytest.raises(ValueError, match=r'a\.png is damaged'):
            read(path)
