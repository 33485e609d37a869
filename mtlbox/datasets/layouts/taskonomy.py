"""Writing Taskonomy's layouts, described where they are read, in :mod:`mtlbox.datasets.taskonomy`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from mtlbox.datasets.class_names import TASKONOMY_17_CLASSES
from mtlbox.datasets.layouts.encode import numbers_of_classes
from mtlbox.datasets.layouts.writing import Files
from mtlbox.datasets.rooms import CLASSES
from mtlbox.datasets.taskonomy import FULL_EDGE
from mtlbox.tasks import Edge
from mtlbox.tasks.base import Array

SIZE = (512, 512)
"""(H, W) of the pictures."""
COUNTS = {'train': 200, 'val': 50}
"""Samples of a replica, as those of the real splits are too many for one and not published."""

_OF_ROOMS = {'bed': 'bed', 'books': 'book', 'chair': 'chair', 'sofa': 'couch', 'table': 'dining table', 'tv': 'tv'}
_CLASSES = np.full(256, 255, dtype=np.uint8)
_CLASSES[: len(CLASSES)] = [TASKONOMY_17_CLASSES.index(_OF_ROOMS.get(name, 'background')) for name in CLASSES]


def _encode(room: Mapping[str, Array], folder: str) -> Files:
    """Turn a room into files; ``folder`` is a template with ``{building}`` and ``{domain}``, a building per split."""

    def file(domain: str, called: str) -> str:
        place = folder.format(building='rooms_{split}', domain=domain)
        return f'{place}/point_{{index}}_view_0_domain_{called}.png'

    depth = room['depth']
    stored = np.where(depth > 0, np.clip(np.rint(depth * 512), 0, 65534), 65535).astype(np.uint16)
    return {
        file('rgb', 'rgb'): room['image'],
        file('segment_semantic', 'segmentsemantic'): numbers_of_classes(_CLASSES[room['semseg']]),
        file('depth_zbuffer', 'depth_zbuffer'): stored,
        file('depth_euclidean', 'depth_euclidean'): stored,
        file('normal', 'normal'): np.clip(np.rint(room['normals'] * 127 + 127), 0, 255).astype(np.uint8),
        file('edge_texture', 'edge_texture'): np.rint(Edge().derive(room['image']) * FULL_EDGE).astype(np.uint16),
    }


def lists(counts: Mapping[str, int]) -> dict[str, str]:
    """Return the list of the buildings, one per split."""
    rows = [f'rooms_{split},' + ','.join(str(int(split == x)) for x in ('train', 'val', 'test')) for split in counts]
    return {'train_val_test_tiny.csv': '\n'.join(['id,train,val,test', *rows, ''])}


ENCODERS: dict[str, Callable[[Mapping[str, Array]], Files]] = {
    'taskonomy-buildings': partial(_encode, folder='{building}/{domain}'),
    'taskonomy-domains': partial(_encode, folder='{domain}/{building}'),
    'taskonomy-omnidata': partial(_encode, folder='{domain}/taskonomy/{building}'),
}
"""By layout: turns a rendered room into its files."""
