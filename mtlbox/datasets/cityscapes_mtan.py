"""Cityscapes as the authors of MTAN (Liu et al., CVPR 2019) preprocessed it, in their layout.

One NumPy file per image and map, 128x256, 2975 images to train and 500 to validate on::

    {train,val}/image/{i}.npy      (H, W, 3) RGB, 0..1
    {train,val}/label_19/{i}.npy   (H, W)    classes 0..18, -1 is ignored
    {train,val}/label_7/{i}.npy    (H, W)    the same in seven categories, 0..6, -1 is ignored
    {train,val}/depth/{i}.npy      (H, W, 1) rescaled disparity, 0..0.49, 0 is unknown

What the folder ``depth`` holds is no depth but disparity, large where things are near, and papers print scores of it
under the name of depth. Here it is the label ``disparity``, so that no score of it passes for one of depth. Its scale
is not stated by the authors; 0.49 is what the 126 pixels or so that the original pictures reach become when their
16 bits are read as 0..1.

The names of the classes are those of Cityscapes in its training order, of the categories those of its own order; that
the authors' files number them so is not verified.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from mtlbox.datasets.cityscapes import PALETTE as CITYSCAPES_PALETTE
from mtlbox.datasets.class_names import CITYSCAPES_7_CLASSES, CITYSCAPES_19_CLASSES
from mtlbox.datasets.decode import plane, require_floats
from mtlbox.datasets.mtan import Modality, MTANDataset, decode_classes
from mtlbox.registry import DATASETS
from mtlbox.tasks import Disparity
from mtlbox.tasks.base import Array

CATEGORY_PALETTE = tuple(
    CITYSCAPES_PALETTE[CITYSCAPES_19_CLASSES.index(name)]
    for name in ('road', 'building', 'pole', 'vegetation', 'sky', 'person', 'car')
)
"""RGB of the categories: each has the colour of one of its classes."""


def _decode_disparity(stored: Array, path: str) -> Array:
    require_floats(stored, path, 'disparities')
    disparity = plane(stored).astype(np.float32, copy=False)
    high = disparity.max()
    if high > 1:
        raise ValueError(
            f'{path}: rescaled disparities, up to about 0.49, are expected, but the largest is {high:g}. '
            'Are these pixels of disparity, or metres of depth?'
        )
    return disparity


@DATASETS.register_module()
class CityscapesMTAN(MTANDataset):
    """Cityscapes in MTAN's layout: 19 or 7 classes, and disparity, at 128x256.

    A task ``semseg`` reads the 19 classes; ``labels=dict(semseg='semseg_7', disparity='disparity')`` lets it read the
    seven. What else it takes and raises is as in :class:`~mtlbox.datasets.mtan.MTANDataset`.
    """

    LAYOUT = 'cityscapes'
    TITLE = 'Cityscapes'
    SIZE = (128, 256)
    MAPS: ClassVar[dict[str, Modality]] = {
        'semseg': Modality('label_19', (1,), decode_classes),
        'semseg_7': Modality('label_7', (1,), decode_classes),
        'disparity': Modality('depth', (1,), _decode_disparity),
    }
    METAINFO: ClassVar[dict] = {
        'labels': tuple(MAPS),
        'classes': {'semseg': CITYSCAPES_19_CLASSES, 'semseg_7': CITYSCAPES_7_CLASSES},
        'palette': {'semseg': CITYSCAPES_PALETTE, 'semseg_7': CATEGORY_PALETTE},
        'units': {'disparity': Disparity.unit},
        'sizes': {'train': 2975, 'val': 500},
    }

    ORIGIN = (
        'the preprocessed Cityscapes (19 and 7 classes, disparity) that the authors of MTAN offer in the README of '
        'lorenmt/mtan on GitHub'
    )
