"""NYU Depth v2 with 40 classes, boundaries, depth and normals (NYUD), in the three archives that circulate.

795 images to train and 654 to validate on, named in ``gt_sets/{train,val}.txt``; one file per name and folder:

==========  ==================  ==================  ==================
            nyud-a              nyud-b              nyud-c
==========  ==================  ==================  ==================
from        ASTMT               the survey          ATRC
archive     ``NYUD_MT.tgz``     ``NYUD_MT.tgz``     ``NYUDv2.tar.gz``
images      .jpg                .jpg                .png
segmentation  .mat, ``segmentation``  .png          .png
edge        .png, 0 and 255     .npy, 0 and 1       .png, 0 and 255
normals     .jpg, 2x/255 - 1    .npy                .png, 2x/255 - 1
depth       .mat, ``depth``     .npy                .npy
size                            480x640             425x560
==========  ==================  ==================  ==================

Classes are stored as 1..40 with 0 for what has none, and become 0..39 and 255. Depths are metres, 0 is unknown.
Normals are brought to unit length; vectors shorter than 0.5, as (127, 127, 127) of the pictures decodes to, are
unknown. x comes first in them, which is all that mirroring needs; whether the other two axes are this project's
(y down, z forward) is not verified. Maps of the first two archives that are their picture at another scale are brought
to its size, as the code that came with them does; maps of other proportions, which that code stretches, are refused.
The two have one name; ATRC's code today reads the second with the third's crop size.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mtlbox.datasets import npy
from mtlbox.datasets.class_names import NYUD_40_CLASSES, TASKONOMY_17_CLASSES
from mtlbox.datasets.decode import plane, require_floats, unit, vectors_of_picture
from mtlbox.datasets.image_file import read_map
from mtlbox.datasets.label_maps import LABEL_MAPS
from mtlbox.datasets.listed import FileLayout, ListedDataset, MapFiles, Source
from mtlbox.datasets.mat import read_mat
from mtlbox.registry import DATASETS
from mtlbox.tasks import Depth
from mtlbox.tasks.base import Array
from mtlbox.tasks.depth import INDOORS, likely_unit
from mtlbox.tasks.palette import distinct_colours

_FARTHEST = 50  # metres that no depth of a room exceeds


def _stored(path: str, variable: str = '') -> Array:
    """Return what a file holds: a picture of one channel, an array, or the ``variable`` of a MATLAB file."""
    suffix = Path(path).suffix
    if suffix == '.mat':
        return read_mat(path, variable)
    return npy.load(path) if suffix == '.npy' else read_map(path)


def _classes(path: str) -> Array:
    """Return 0..39 and 255 of 1..40 and 0."""
    stored = _stored(path, 'segmentation')
    if stored.ndim != 2:
        raise ValueError(f'{path}: classes (H, W) are expected, but the shape is {stored.shape}.')
    if stored.dtype.kind not in 'iuf' or (stored.dtype.kind == 'f' and not (np.rint(stored) == stored).all()):
        raise ValueError(f'{path}: classes must be whole numbers, but it holds others, of type {stored.dtype}.')
    if stored.min() < 0 or stored.max() > len(NYUD_40_CLASSES):
        wrong = np.unique(stored[(stored < 0) | (stored > len(NYUD_40_CLASSES))])
        hint = ' Are classes counted from 0 here, as after reading?' if 255 in wrong else ''
        raise ValueError(f'{path} holds {wrong.tolist()[:8]}, but 1..40 and 0 (no class) are expected.{hint}')
    return stored.astype(np.uint8) - np.uint8(1)  # 0 becomes 255


def _depth(path: str) -> Array:
    stored = _stored(path, 'depth')
    require_floats(stored, path, 'depths in metres')
    depth = plane(stored)
    if depth.max() > _FARTHEST:
        looks = likely_unit(float(np.median(depth[depth > 0])), INDOORS)
        raise ValueError(
            f'{path}: depths in metres are expected, but the largest is {depth.max():g}: these look like {looks}.'
        )
    return depth.astype(np.float32, copy=False)


def _vectors(path: str) -> Array:
    if Path(path).suffix != '.npy':
        return vectors_of_picture(path)
    stored = _stored(path)
    require_floats(stored, path, 'unit vectors')
    if stored.ndim != 3 or stored.shape[2] != 3:
        raise ValueError(f'{path}: vectors (H, W, 3) are expected, but the shape is {stored.shape}.')
    largest = max(stored.max(), -stored.min())
    if not largest <= 1.02:  # NaN as well
        raise ValueError(f'{path}: unit vectors are expected, but the largest component is {largest:g}.')
    return stored


def _normals(path: str) -> Array:
    return unit(_vectors(path))


def _boundary(path: str) -> Array:
    if Path(path).suffix != '.npy':
        stored = read_map(path)
        if stored.max() == 1:
            raise ValueError(f'{path}: 0 and 255 are expected, but the largest value is 1.')
        return (stored > 127).astype(np.uint8)
    stored = plane(_stored(path))
    return stored.astype(np.uint8) if stored.dtype.kind == 'b' else stored


_KINDS: dict[str, tuple[Any, ...]] = {
    'semseg': ('segmentation', np.copy),
    'semseg_taskonomy': ('segmentation', LABEL_MAPS['nyud-to-taskonomy'].reader()),
    'depth': ('depth', _depth),
    'normals': ('normals', _normals, _vectors),
    'boundary': ('edge', _boundary),
}
"""By label: its folder, which all archives share, its reader, and that of what the reader mends, where it does."""
_DECODERS = {'segmentation': _classes}
"""By folder of which several labels are made: its decoder, whose result their readers take."""


def _layout(name: str, title: str, images: str, *, origin: str, resample: bool = False, **maps: str) -> FileLayout:
    """Describe an archive by the suffixes of its ``images`` and of its ``maps`` by folder."""
    sources = {
        folder: Source.at(f'{folder}/{{name}}{suffix}', decode=_DECODERS.get(folder)) for folder, suffix in maps.items()
    }
    return FileLayout(
        name=name,
        title=title,
        images=Source.at(f'images/{{name}}{images}'),
        maps={label: MapFiles(read, (sources[folder],), *stored) for label, (folder, read, *stored) in _KINDS.items()},
        resample=resample,
        origin=origin,
    )


@DATASETS.register_module()
class NYUD(ListedDataset):
    """NYU Depth v2 with 40 classes, depth, normals and boundaries, from any of three archives.

    What it takes and raises is as in :class:`~mtlbox.datasets.listed.ListedDataset`; ``layout`` is ``'nyud-a'``,
    ``'nyud-b'`` or ``'nyud-c'``.
    """

    TITLE = 'NYUD'
    ONE_SIZE = True
    LISTS = 'gt_sets/{split}.txt'
    LAYOUTS = (
        _layout(
            'nyud-a',
            "ASTMT's NYUD_MT.tgz",
            '.jpg',
            origin='NYUD_MT.tgz of facebookresearch/astmt on GitHub: python tools/data.py download nyud-a {root}. '
            'The archive of the same name of SimonVandenhende/Multi-Task-Learning-PyTorch is nyud-b.',
            segmentation='.mat',
            depth='.mat',
            normals='.jpg',
            edge='.png',
            resample=True,
        ),
        _layout(
            'nyud-b',
            "the survey's NYUD_MT.tgz, 480x640",
            '.jpg',
            origin='NYUD_MT.tgz, which the README of SimonVandenhende/Multi-Task-Learning-PyTorch on GitHub offers. '
            "ASTMT's archive of the same name is nyud-a.",
            segmentation='.png',
            depth='.npy',
            normals='.npy',
            edge='.npy',
            resample=True,
        ),
        _layout(
            'nyud-c',
            "ATRC's NYUDv2.tar.gz, 425x560",
            '.png',
            origin='NYUDv2.tar.gz, which the README of brdav/atrc on GitHub offers (and those of InvPT and its '
            'successors): python tools/data.py download nyud-c {root}',
            segmentation='.png',
            depth='.npy',
            normals='.png',
            edge='.png',
        ),
    )
    METAINFO: ClassVar[dict] = {
        'labels': tuple(_KINDS),
        'classes': {'semseg': NYUD_40_CLASSES, 'semseg_taskonomy': TASKONOMY_17_CLASSES},
        'palette': {'semseg': distinct_colours(40), 'semseg_taskonomy': distinct_colours(17)},
        'label_maps': {'semseg_taskonomy': 'nyud-to-taskonomy'},
        'units': {'depth': Depth.unit},
        'usual': {'depth': INDOORS},
        'sizes': {'train': 795, 'val': 654},
    }
    ORIGIN = (
        'NYUDv2.tar.gz, which the README of brdav/atrc on GitHub offers (and those of InvPT and its successors), '
        'or one of the two NYUD_MT.tgz, of facebookresearch/astmt or SimonVandenhende/Multi-Task-Learning-PyTorch. '
        'tools/data.py download fetches nyud-c and nyud-a.'
    )
