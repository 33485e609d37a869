"""SYNTHIA-RAND-CITYSCAPES (Ros et al., CVPR 2016): 9400 rendered images of streets, 760x1280, each of its own.

The archive unpacks into ``RAND_CITYSCAPES``, which is the root here; files have seven digits::

    RGB/0000000.png
    Depth/0000000.png          16 bit, centimetres (some copies: Depth/Depth)
    GT/LABELS/0000000.png      three channels of 16 bits, the first of which is the class 0..22, 0 is void

The second channel numbers instances and is not read. Copies in which the classes were written to pictures of one
channel of 8 bits (``GT/parsed_LABELS``) are read where the original is not there. That depth is in centimetres, along
the optical axis and 65535 where unknown, and that all channels are equal where a picture of it has three, is what the
code that uses it takes for granted; so is the camera, that of SYNTHIA's sequences (532.740352; 640, 380) [documented
assumption]. ``normals`` are no part of it and are computed from the depth.

There is no official split. Here every tenth image, whose number ends in 9, validates and the others train [documented
assumption]; ``split='all'`` reads all, as work on domain adaptation does.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import ClassVar

import numpy as np

from mtlbox.datasets.cityscapes import PALETTE as CITYSCAPES_PALETTE
from mtlbox.datasets.class_names import CITYSCAPES_19_CLASSES, SYNTHIA_22_CLASSES
from mtlbox.datasets.decode import deep, metres, numbered_classes
from mtlbox.datasets.image_file import read_stored
from mtlbox.datasets.label_maps import LABEL_MAPS
from mtlbox.datasets.listed import FileLayout, MapFiles, ScannedDataset, Source
from mtlbox.datasets.normals_from_depth import Pinhole
from mtlbox.registry import DATASETS
from mtlbox.tasks import Depth
from mtlbox.tasks.base import Array
from mtlbox.tasks.depth import OUTDOORS
from mtlbox.tasks.palette import distinct_colours

CAMERA = Pinhole((532.740352, 532.740352), (640, 380), (760, 1280))
"""The camera of SYNTHIA's sequences."""

_IMAGES = 9400
_NORMALS_WINDOW = 3  # depths are exact


def _number(number: int) -> str:
    return f'{number:07d}'


SPLITS = {
    'train': frozenset(_number(n) for n in range(_IMAGES) if n % 10 != 9),
    'val': frozenset(_number(n) for n in range(_IMAGES) if n % 10 == 9),
    'all': frozenset(_number(n) for n in range(_IMAGES)),
}
"""Names of the images of each split."""


def _classes(path: str) -> Array:
    stored = read_stored(path)
    if stored.ndim == 3 and stored.dtype != np.uint16:
        raise ValueError(f'{path}: three channels of 16 bits are expected, or one of 8, but it has three of 8.')
    return numbered_classes(stored if stored.ndim == 2 else stored[..., 0], path, len(SYNTHIA_22_CLASSES))


def _depth(centimetres: Array) -> Array:
    return metres(centimetres, 100)


def _normals(centimetres: Array) -> Array:
    return CAMERA.normals(_depth(centimetres), window=_NORMALS_WINDOW)


_LABELS = Source.at('GT/LABELS/{0}.png', 'GT/parsed_LABELS/{0}.png', decode=_classes)
_DEPTHS = Source.at('Depth/{0}.png', 'Depth/Depth/{0}.png', decode=deep)


@DATASETS.register_module()
class Synthia(ScannedDataset):
    """SYNTHIA-RAND-CITYSCAPES: 22 classes or Cityscapes' 19, depth, and normals computed from it.

    ``labels=dict(semseg='semseg_cityscapes', ...)`` reads the classes as those of Cityscapes.
    What it takes and raises is as in :class:`~mtlbox.datasets.listed.ListedDataset`.
    """

    TITLE = 'SYNTHIA-RAND-CITYSCAPES'
    LAYOUTS = (
        FileLayout(
            name='synthia',
            title='RAND_CITYSCAPES of the archive',
            images=Source.at('RGB/{0}.png'),
            maps={
                'semseg': MapFiles(np.copy, (_LABELS,)),
                'semseg_cityscapes': MapFiles(LABEL_MAPS['synthia-to-cityscapes'].reader(), (_LABELS,)),
                'depth': MapFiles(_depth, (_DEPTHS,)),
                'normals': MapFiles(_normals, (_DEPTHS,)),
            },
        ),
    )
    METAINFO: ClassVar[dict] = {
        'labels': ('semseg', 'semseg_cityscapes', 'depth', 'normals'),
        'classes': {'semseg': SYNTHIA_22_CLASSES, 'semseg_cityscapes': CITYSCAPES_19_CLASSES},
        'palette': {'semseg': distinct_colours(22), 'semseg_cityscapes': CITYSCAPES_PALETTE},
        'label_maps': {'semseg_cityscapes': 'synthia-to-cityscapes'},
        'units': {'depth': Depth.unit},
        'usual': {'depth': OUTDOORS},
        'sizes': {split: len(names) for split, names in SPLITS.items()},
    }
    ORIGIN = 'SYNTHIA_RAND_CITYSCAPES.rar, which synthia-dataset.net offers.'

    def wanted(self) -> Mapping[str, Container[str]]:
        """Return the names of the split."""
        return {'0': SPLITS[self.split]}
