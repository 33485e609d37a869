"""Writing the layout of PASCAL-Context, described where it is read, in :mod:`mtlbox.datasets.pascal_context`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mtlbox.datasets.layouts.encode import picture_of_binary, picture_of_unit
from mtlbox.datasets.layouts.writing import Files
from mtlbox.datasets.pascal_context import CLASSES_WITH_NORMALS, PART_OF, PERSON, VOC_CLASSES, PASCALContext
from mtlbox.datasets.rooms import CLASSES, IGNORE
from mtlbox.tasks.base import Array

NAME = '{split}_{index:06d}'
"""Name of a replica's sample."""
SIZE = (375, 500)
"""(H, W) of most of the pictures."""

_VOC = {'chair': 'chair', 'sofa': 'sofa', 'table': 'diningtable', 'tv': 'tvmonitor'}  # all else is background
_CONTEXT = {'books': 'book', 'furniture': 'cabinet', 'objects': 'box', 'tv': 'tvmonitor'}  # all else is named the same
_NUMBERS = {name: number for number, name in CLASSES_WITH_NORMALS.items()}
_TO_VOC, _TO_CONTEXT = np.zeros(256, dtype=np.uint8), np.zeros(256, dtype=np.uint16)
for _index, _name in enumerate(CLASSES):
    _TO_VOC[_index] = VOC_CLASSES.index(_VOC.get(_name, 'background'))
    _TO_CONTEXT[_index] = _NUMBERS[_CONTEXT.get(_name, _name)]
_PART_NAMES = {part: name for name, part in reversed(PART_OF.items())}
_OBJECT = [(name, object) for name in ('class', 'class_ind', 'mask', 'parts')]
_PART = [(name, object) for name in ('part_name', 'mask')]


def lists(counts: Mapping[str, int]) -> dict[str, str]:
    """Return the lists of names by path; ``test_new`` names the first images of val, the same share as in truth."""
    sizes = PASCALContext.METAINFO['sizes']
    listed = {split: (split, count) for split, count in counts.items()}
    listed['test_new'] = ('val', -(-counts['val'] * sizes['test_new'] // sizes['val']))
    return {
        PASCALContext.LISTS.format(split=name): ''.join(f'{NAME.format(split=split, index=i)}\n' for i in range(count))
        for name, (split, count) in listed.items()
    }


def encode_annotation(parts: Array) -> dict:
    """Turn human parts ``(H, W)``, 0..6, into the annotation of one person; of one chair without parts if all is 0."""
    names = [(number, _PART_NAMES[number]) for number in np.unique(parts) if number]
    person = bool(names)
    listed = np.array([(name, (parts == number).astype(np.uint8)) for number, name in names], dtype=_PART)
    mask = (parts > 0).astype(np.uint8)
    kind = ('person', PERSON) if person else ('chair', VOC_CLASSES.index('chair'))
    one = np.array([(*kind, mask, listed if person else np.zeros((0, 0)))], dtype=_OBJECT)
    return {'anno': {'imname': 'room', 'objects': one}}


def encode_room(room: Mapping[str, Array]) -> Files:
    """Turn a rendered room into the files of the layout."""
    parts = np.where(room['human_parts'] == IGNORE, 0, room['human_parts']).astype(np.uint8)
    semseg, context = _TO_VOC[room['semseg']], _TO_CONTEXT[room['semseg']]
    semseg[parts > 0], context[parts > 0] = VOC_CLASSES.index('person'), _NUMBERS['person']
    return {
        f'JPEGImages/{NAME}.jpg': room['image'],
        f'semseg/VOC12/{NAME}.png': semseg,
        f'human_parts/{NAME}.mat': encode_annotation(parts),
        f'sal_distill/{NAME}.png': picture_of_binary(room['saliency']),
        f'normals_distill/{NAME}.png': picture_of_unit(room['normals']),
        f'pascal-context/trainval/{NAME}.mat': {'LabelMap': context},
    }
