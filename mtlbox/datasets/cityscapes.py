"""Cityscapes (Cordts et al., CVPR 2016) as it is released: 2975 images to train and 500 to validate on, 1024x2048.

The archives unpack into one folder, each file below a folder of its split and city::

    leftImg8bit/{split}/{city}/{city}_{sequence}_{frame}_leftImg8bit.png     RGB
    gtFine/{split}/{city}/..._gtFine_labelIds.png                            0..33
    disparity/{split}/{city}/..._disparity.png                               16 bit, p
    camera/{split}/{city}/..._camera.json                                    extrinsic.baseline; intrinsic.fx, ...

The file with disparities is read as two labels, each under its own name, for papers print scores of either as depth:

- ``disparity``: (p - 1) / 256 pixels, as a share of the full scale of 65535 / 256 = 256.0 pixels; p = 0 is unknown.
  At the nearest, some 126 pixels, it is 0.49: the scale of MTAN's files.
- ``depth``: metres, baseline fx / d with the d pixels above and the camera of the image. 0 pixels are infinitely far
  and unknown in both.

Normals are no part of the release. ``normals`` are computed here from the depth by
:func:`~mtlbox.datasets.normals_from_depth.normals_from_depth`; VTAGML does not say how it made its own [documented
assumption], so that scores of them do not compare. The splits that have no labels (test, and train_extra but for coarse
ones) are not read.
"""

from __future__ import annotations

import json
from typing import ClassVar, NamedTuple

import numpy as np

from mtlbox.datasets.class_names import CITYSCAPES_19_CLASSES
from mtlbox.datasets.decode import deep, looked_up
from mtlbox.datasets.image_file import read_map
from mtlbox.datasets.listed import FileLayout, MapFiles, ScannedDataset, Source
from mtlbox.datasets.normals_from_depth import Pinhole
from mtlbox.datasets.opening import opened
from mtlbox.registry import DATASETS
from mtlbox.tasks import Depth, Disparity
from mtlbox.tasks.base import Array
from mtlbox.tasks.depth import OUTDOORS

SIZE = (1024, 2048)
"""(H, W) of the pictures."""

TRAIN_IDS = {
    7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12, 26: 13, 27: 14, 28: 15,
    31: 16, 32: 17, 33: 18,
}  # fmt: skip
"""By number in the files: the class 0..18; all others of 0..33 are ignored."""

PALETTE = (
    (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153), (250, 170, 30),
    (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142), (0, 0, 70),
    (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32),
)  # fmt: skip
"""RGB of the classes."""

_LAST_ID = 33
_NORMALS_WINDOW = 7
_TABLE = np.full(256, 255, dtype=np.uint8)
_TABLE[list(TRAIN_IDS)] = list(TRAIN_IDS.values())
_KNOWN = np.isin(np.arange(256), (*range(_LAST_ID + 1), 255)).astype(np.uint8)


class StereoCamera(NamedTuple):
    """The camera of an image.

    Attributes:
        baseline: Metres between the two cameras.
        left: The left one, which the labels belong to.
    """

    baseline: float
    left: Pinhole


def read_camera(path: str) -> StereoCamera:
    """Return the camera that a file of the folder ``camera`` describes.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such description; the message names the file.
    """
    try:
        with opened(path) as file:
            said = json.load(file)
        inner = said['intrinsic']
        numbers = [float(x) for x in (said['extrinsic']['baseline'], *(inner[key] for key in ('fx', 'fy', 'u0', 'v0')))]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path} does not describe a camera by extrinsic.baseline and intrinsic.fx, fy, u0 and v0 '
            f'({type(error).__name__}: {error}).'
        ) from None
    baseline, fx, fy, u0, v0 = numbers
    if not min(baseline, fx, fy) > 0:
        raise ValueError(f'{path}: baseline and focal lengths must be positive, but are {baseline}, {fx} and {fy}.')
    return StereoCamera(baseline, Pinhole((fx, fy), (u0, v0), SIZE))


def _classes(path: str) -> Array:
    stored = read_map(path)
    known = looked_up(stored, _KNOWN)
    if not known.all():
        wrong = np.unique(stored[known == 0]).tolist()
        raise ValueError(f'{path} holds {wrong[:8]}, but the labelIds 0..{_LAST_ID} and 255 are expected.')
    return looked_up(stored, _TABLE)


def _disparity(stored: Array) -> Array:
    share = stored.astype(np.float32)
    share -= 1
    return np.maximum(share, 0, out=share) / np.float32(65535)


def _depth(stored: Array, camera: StereoCamera) -> Array:
    steps = stored.astype(np.float32)  # 1/256 of a pixel, and 1
    steps -= 1
    np.copyto(steps, np.inf, where=stored <= 1)  # the depth of which is 0
    return np.divide(np.float32(256 * camera.baseline * camera.left.focal[0]), steps, out=steps)


def _normals(stored: Array, camera: StereoCamera) -> Array:
    return camera.left.normals(_depth(stored, camera), window=_NORMALS_WINDOW)


_DISPARITIES = Source.at('disparity/{split}/{0}/{1}_disparity.png', decode=deep)
_CAMERAS = Source.at('camera/{split}/{0}/{1}_camera.json', decode=read_camera)


@DATASETS.register_module()
class Cityscapes(ScannedDataset):
    """Cityscapes: 19 classes, disparity, metric depth, and normals computed from it.

    What it takes and raises is as in :class:`~mtlbox.datasets.listed.ListedDataset`.
    """

    TITLE = 'Cityscapes'
    LAYOUTS = (
        FileLayout(
            name='cityscapes-raw',
            title='leftImg8bit, gtFine, disparity and camera of the release',
            images=Source.at('leftImg8bit/{split}/{0}/{1}_leftImg8bit.png'),
            maps={
                'semseg': MapFiles(_classes, (Source.at('gtFine/{split}/{0}/{1}_gtFine_labelIds.png'),)),
                'disparity': MapFiles(_disparity, (_DISPARITIES,)),
                'depth': MapFiles(_depth, (_DISPARITIES, _CAMERAS)),
                'normals': MapFiles(_normals, (_DISPARITIES, _CAMERAS)),
            },
        ),
    )
    METAINFO: ClassVar[dict] = {
        'labels': ('semseg', 'disparity', 'depth', 'normals'),
        'classes': {'semseg': CITYSCAPES_19_CLASSES},
        'palette': {'semseg': PALETTE},
        'units': {'disparity': Disparity.unit, 'depth': Depth.unit},
        'usual': {'depth': OUTDOORS},
        'sizes': {'train': 2975, 'val': 500},
    }
    ORIGIN = (
        'leftImg8bit_trainvaltest.zip, gtFine_trainvaltest.zip, disparity_trainvaltest.zip and '
        'camera_trainvaltest.zip of www.cityscapes-dataset.com, after registration.'
    )
