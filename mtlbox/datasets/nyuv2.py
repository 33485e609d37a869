"""NYU Depth v2 with 13 classes, in the layout of MTAN (Liu et al., CVPR 2019).

One NumPy file per image and modality, 288x384, 795 images to train and 654 to validate on::

    {train,val}/image/{i}.npy    (H, W, 3) RGB, 0..1
    {train,val}/label/{i}.npy    (H, W)    classes 0..12, -1 is ignored
    {train,val}/depth/{i}.npy    (H, W, 1) metres, 0 is unknown
    {train,val}/normal/{i}.npy   (H, W, 3) unit vectors, a vector whose components sum to 0 is unknown

The classes are those of the 13-class mapping of NYU Depth v2 (bed = 1 .. window = 13), less one. The vectors of the
normals are passed through as they are stored: x, to the right, comes first, which is all that mirroring needs; whether
the other two axes of the authors' files are this project's (y down, z forward) is not verified.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from mtlbox.datasets.class_names import NYUV2_13_CLASSES, TASKONOMY_17_CLASSES
from mtlbox.datasets.decode import plane, require_floats
from mtlbox.datasets.label_maps import LABEL_MAPS
from mtlbox.datasets.mtan import Modality, MTANDataset, decode_classes
from mtlbox.registry import DATASETS
from mtlbox.tasks import Depth
from mtlbox.tasks.base import Array
from mtlbox.tasks.depth import INDOORS
from mtlbox.tasks.palette import distinct_colours


def _decode_13_classes(stored: Array, path: str) -> Array:
    """Return the classes, checked here, as a label map takes others for ignored."""
    classes = decode_classes(stored, path)
    wrong = np.unique(classes[(classes < 0) | ((classes >= len(NYUV2_13_CLASSES)) & (classes != 255))])
    if wrong.size:
        raise ValueError(f'{path} holds {wrong.tolist()[:8]}, but only -1..{len(NYUV2_13_CLASSES) - 1} are expected.')
    return classes


def _decode_depth(stored: Array, path: str) -> Array:
    require_floats(stored, path, 'depths in metres')
    return plane(stored).astype(np.float32, copy=False)


def _decode_normals(stored: Array, path: str) -> Array:
    """Return the vectors; those whose components sum to 0 become the zero vector."""
    require_floats(stored, path, 'unit vectors')
    unknown = stored[..., 0] + stored[..., 1] + stored[..., 2] == 0  # a fifth of the time of sum(-1)
    normals = stored.astype(np.float32, copy=False)
    normals[unknown] = 0
    return normals


@DATASETS.register_module()
class NYUv2(MTANDataset):
    """NYU Depth v2 in MTAN's layout: 13 classes, depth and normals at 288x384.

    What it takes and raises is as in :class:`~mtlbox.datasets.mtan.MTANDataset`.
    """

    LAYOUT = 'nyuv2-13'
    TITLE = 'NYUv2'
    SIZE = (288, 384)
    MAPS: ClassVar[dict[str, Modality]] = {
        'semseg': Modality('label', (1,), decode_classes),
        'semseg_taskonomy': Modality('label', (1,), LABEL_MAPS['nyuv2-13-to-taskonomy'].reader(_decode_13_classes)),
        'depth': Modality('depth', (1,), _decode_depth),
        'normals': Modality('normal', (3,), _decode_normals),
    }
    METAINFO: ClassVar[dict] = {
        'labels': tuple(MAPS),
        'classes': {'semseg': NYUV2_13_CLASSES, 'semseg_taskonomy': TASKONOMY_17_CLASSES},
        'palette': {'semseg': distinct_colours(13), 'semseg_taskonomy': distinct_colours(17)},
        'label_maps': {'semseg_taskonomy': 'nyuv2-13-to-taskonomy'},
        'units': {'depth': Depth.unit},
        'usual': {'depth': INDOORS},
        'gaps': tuple(MAPS),
        'sizes': {'train': 795, 'val': 654},
    }
    ORIGIN = (
        'the preprocessed NYUv2 (13 classes) that the authors of MTAN offer in the README of lorenmt/mtan on GitHub; '
        'or, from official-style pictures: python tools/data.py convert nyuv2-13 SOURCE {root}'
    )
