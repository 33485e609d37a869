"""Reading pictures, and saying which one cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mtlbox.tasks.base import Array

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')


def read_image(path: str | Path) -> Array:
    """Return a picture as RGB uint8 ``(H, W, 3)``, turned as its EXIF data say.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no picture, or is truncated; the message names the file.
    """
    try:
        with Image.open(path) as picture:
            return np.asarray(ImageOps.exif_transpose(picture).convert('RGB'))
    except FileNotFoundError:
        raise FileNotFoundError(f'There is no image {path}.') from None
    except UnidentifiedImageError:
        raise ValueError(f'{path} is not a picture in a known format.') from None
    except (OSError, SyntaxError) as error:
        raise ValueError(f'{path} is damaged and cannot be read as a picture: {error}.') from None
