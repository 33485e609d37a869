"""Virtual KITTI 2 (Cabon et al., 2020), version 2.0.3: five scenes in ten variations, 375x1242, from two cameras.

21 260 images of each camera: 447, 233, 270, 339 and 837 of the scenes 01, 02, 06, 18 and 20, in each variation. The
archives unpack into one folder (``vkitti2-joint``) or each into a folder of its name (``vkitti2-apart``)::

    Scene{xx}/{variation}/frames/rgb/Camera_{c}/rgb_{n}.jpg
    Scene{xx}/{variation}/frames/depth/Camera_{c}/depth_{n}.png                    16 bit, centimetres
    Scene{xx}/{variation}/frames/classSegmentation/Camera_{c}/classgt_{n}.png      a colour per class

Depth is along the optical axis; 65535, the sky and what is farther than 655.34 m, is unknown here. Black is undefined.
``normals`` are no part of it and are computed from the depth by
:func:`~mtlbox.datasets.normals_from_depth.normals_from_depth` with the camera of all scenes (725.0087; 620.5, 187).

There is no official split. Here Scene06, 13 % of the frames, validates and the other four train, so that no scene is on
both sides; by default the left camera is read [documented assumption: VTAGML does not say what it did].
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, ClassVar

import cv2
import numpy as np

from mtlbox.datasets.cityscapes import PALETTE as CITYSCAPES_PALETTE
from mtlbox.datasets.class_names import CITYSCAPES_19_CLASSES, VKITTI2_14_CLASSES
from mtlbox.datasets.decode import deep, looked_up, metres
from mtlbox.datasets.image_file import read_image
from mtlbox.datasets.label_maps import LABEL_MAPS
from mtlbox.datasets.listed import FileLayout, MapFiles, ScannedDataset, Source
from mtlbox.datasets.normals_from_depth import Pinhole
from mtlbox.registry import DATASETS, did_you_mean
from mtlbox.tasks import Depth
from mtlbox.tasks.base import Array
from mtlbox.tasks.depth import OUTDOORS

CAMERA = Pinhole((725.0087, 725.0087), (620.5, 187), (375, 1242))
"""The cameras of all scenes."""

VARIATIONS = (
    '15-deg-left', '15-deg-right', '30-deg-left', '30-deg-right', 'clone', 'fog', 'morning', 'overcast', 'rain',
    'sunset',
)  # fmt: skip
SCENES = {'train': ('Scene01', 'Scene02', 'Scene18', 'Scene20'), 'val': ('Scene06',)}
"""Scenes of each split."""

PALETTE = (
    (210, 0, 200), (90, 200, 255), (0, 199, 0), (90, 240, 0), (140, 140, 140), (100, 60, 100), (250, 100, 255),
    (255, 255, 0), (200, 200, 0), (255, 130, 0), (80, 80, 80), (160, 60, 60), (255, 127, 80), (0, 139, 139),
)  # fmt: skip
"""RGB of the classes 0..13 in the files; black is undefined."""

_NO_COLOUR = 254
_NORMALS_WINDOW = 3  # depths are exact


def _tables() -> tuple[Array, Array]:
    """Return what turns colours into classes without a search.

    Returns:
        ``(3, 256)`` uint16: by channel and value, a bit for each colour that has it there; so the bitwise and over the
        channels is the bit of the pixel's colour, or 0. And ``(2 ** 15,)`` uint8: by that, the class.
    """
    bits = np.zeros((3, 256), dtype=np.uint16)
    classes = np.full(1 << len(PALETTE) + 1, _NO_COLOUR, dtype=np.uint8)
    for bit, (colour, number) in enumerate(zip((*PALETTE, (0, 0, 0)), (*range(len(PALETTE)), 255))):
        bits[range(3), colour] |= np.uint16(1 << bit)
        classes[1 << bit] = number
    return bits, classes


_BITS, _CLASS_OF = _tables()


def _classes(path: str) -> Array:
    colours = read_image(path)
    red, green, blue = (looked_up(channel, bits) for channel, bits in zip(cv2.split(colours), _BITS))
    found = _CLASS_OF[red & green & blue]
    wrong = found == _NO_COLOUR
    if wrong.any():
        colour = tuple(colours[wrong][0].tolist())
        raise ValueError(
            f'{path} holds the colour {colour}, which is none of the {len(PALETTE)} classes and not black.'
        )
    return found


def _depth(centimetres: Array) -> Array:
    return metres(centimetres, 100)


def _normals(centimetres: Array) -> Array:
    return CAMERA.normals(_depth(centimetres), window=_NORMALS_WINDOW)


def _layout(name: str, title: str, folder: str, origin: str = '') -> FileLayout:
    """Describe a way to unpack the archives; ``folder`` may hold ``{}`` for the name of an archive."""

    def files(archive: str, kind: str, file: str, decode: Callable[[str], Array] | None = None) -> Source:
        return Source.at(f'{folder.format(archive)}{{0}}/{{1}}/frames/{kind}/{{2}}/{file}', decode=decode)

    classes = files('classSegmentation', 'classSegmentation', 'classgt_{3}.png', _classes)
    depths = files('depth', 'depth', 'depth_{3}.png', deep)
    return FileLayout(
        name=name,
        title=title,
        images=files('rgb', 'rgb', 'rgb_{3}.jpg'),
        maps={
            'semseg': MapFiles(np.copy, (classes,)),
            'semseg_cityscapes': MapFiles(LABEL_MAPS['vkitti2-to-cityscapes'].reader(), (classes,)),
            'depth': MapFiles(_depth, (depths,)),
            'normals': MapFiles(_normals, (depths,)),
        },
        origin=origin,
    )


_ARCHIVES = (
    'vkitti_2.0.3_rgb.tar, vkitti_2.0.3_depth.tar and vkitti_2.0.3_classSegmentation.tar, which the page "Virtual '
    'KITTI 2" of europe.naverlabs.com offers'
)
_FETCHED = 'tools/data.py download vkitti2-joint fetches them and unpacks them into one folder.'


@DATASETS.register_module()
class VKITTI2(ScannedDataset):
    """Virtual KITTI 2: 14 classes or Cityscapes' 19, depth, and normals computed from it.

    ``labels=dict(semseg='semseg_cityscapes', ...)`` reads the classes as those of Cityscapes.

    Args:
        data_root: Folder of the data.
        split: ``'train'`` or ``'val'``.
        variations: Which of :data:`VARIATIONS` are read; by default all.
        cameras: Which cameras are read, 0 (left) and 1.
        kwargs: As in :class:`~mtlbox.datasets.listed.ListedDataset`, as is what is raised.

    Raises:
        ValueError: There is no such variation or camera.
    """

    TITLE = 'Virtual KITTI 2'
    CHOICES: ClassVar[Mapping[str, tuple]] = {'variations': VARIATIONS, 'cameras': (0, 1)}
    LAYOUTS = (
        _layout('vkitti2-joint', 'all archives in one folder', ''),
        _layout(
            'vkitti2-apart',
            'a folder per archive',
            'vkitti_2.0.3_{}/',
            f'{_ARCHIVES}, each unpacked into a folder of its name (vkitti_2.0.3_rgb/Scene01/...). {_FETCHED}',
        ),
    )
    METAINFO: ClassVar[dict] = {
        'labels': ('semseg', 'semseg_cityscapes', 'depth', 'normals'),
        'classes': {'semseg': VKITTI2_14_CLASSES, 'semseg_cityscapes': CITYSCAPES_19_CLASSES},
        'palette': {'semseg': PALETTE, 'semseg_cityscapes': CITYSCAPES_PALETTE},
        'label_maps': {'semseg_cityscapes': 'vkitti2-to-cityscapes'},
        'units': {'depth': Depth.unit},
        'usual': {'depth': OUTDOORS},
        'sizes': {'train': 18560, 'val': 2700},
    }
    ORIGIN = f'{_ARCHIVES}. {_FETCHED}'

    def __init__(
        self,
        *,
        data_root: str,
        split: str,
        variations: Sequence[str] = VARIATIONS,
        cameras: Sequence[int] = (0,),
        **kwargs: Any,
    ) -> None:
        for variation in variations:
            if variation not in VARIATIONS:
                raise ValueError(f'There is no variation {variation!r}.{did_you_mean(str(variation), VARIATIONS)}')
        if not cameras or not set(cameras) <= {0, 1}:
            raise ValueError(f'cameras must be 0, 1 or both, but are {list(cameras)}.')
        self.variations, self.cameras = tuple(variations), tuple(cameras)
        super().__init__(data_root=data_root, split=split, **kwargs)

    def wanted(self) -> Mapping[str, Container[str]]:
        """Return the scenes of the split, the variations and the cameras."""
        return {'0': SCENES[self.split], '1': self.variations, '2': {f'Camera_{camera}' for camera in self.cameras}}
