"""Taskonomy (Zamir et al., CVPR 2018): 4.5 million images of 537 buildings, 512x512.

A file per image and domain, ``point_{p}_view_{v}_domain_{domain}.png``, where (``taskonomy-buildings``) each
building, or (``taskonomy-domains``) each domain has a folder, or (``taskonomy-omnidata``) as Omnidata's downloader
writes them::

    {building}/{domain}/*.png        {domain}/{building}/*.png        {domain}/taskonomy/{building}/*.png

Read are the domains

=====================  ====================  =================================================================
folder                 label
=====================  ====================  =================================================================
``rgb``
``segment_semantic``   ``semseg``            0 uncertain, 1 background, 2..17 things; files: ``segmentsemantic``
``depth_zbuffer``      ``depth``             16 bit, 1/512 m along the optical axis, 65535 unknown
``depth_euclidean``    ``depth_euclidean``   the same, along the ray; what VTAGML's code trains on
``normal``             ``normals``           127 + 127 n; x right, y down, z forward, facing the camera
``edge_texture``       ``edge``              16 bit
=====================  ====================  =================================================================

The classes were predicted by a network. VTAGML counts 18 of them and ignores the first; here what is uncertain is
ignored and 17 are left. Texture edges are scaled such that a quarter of the 16 bits, the range that VTAGML's code
names, is 1 and what is above is cut off [documented assumption]; measured maps are said to peak near half of it.

Splits are those of buildings in ``train_val_test_{subset}.csv`` (columns ``id,train,val,test``), which is looked for
in the root, in ``splits`` and in ``splits_taskonomy``. How many images each has is not published with them. What of
the archive is damaged or has gaps is not known; all files that the tasks read must be there, but they are not looked
into at the start, as 20 million files would take hours: ``tools/data.py verify`` does that."""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mtlbox.datasets.class_names import NYUD_40_CLASSES, NYUV2_13_CLASSES, TASKONOMY_17_CLASSES
from mtlbox.datasets.decode import deep, metres, numbered_classes, unit, vectors_of_picture
from mtlbox.datasets.image_file import read_map
from mtlbox.datasets.label_maps import LABEL_MAPS
from mtlbox.datasets.listed import FileLayout, MapFiles, ScannedDataset, Source
from mtlbox.datasets.messages import some
from mtlbox.datasets.opening import opened
from mtlbox.registry import DATASETS, did_you_mean
from mtlbox.tasks import Depth
from mtlbox.tasks.base import Array
from mtlbox.tasks.palette import distinct_colours

SUBSETS = ('tiny', 'medium', 'full', 'fullplus')
FULL_EDGE = 16384
"""Stored value of a texture edge of strength 1."""

_LIST_FOLDERS = ('', 'splits', 'splits_taskonomy')


def _classes(path: str) -> Array:
    return numbered_classes(read_map(path), path, len(TASKONOMY_17_CLASSES))


def _depth(path: str) -> Array:
    return metres(deep(path), 512)


def _vectors(path: str) -> Array:
    return vectors_of_picture(path, grey=127)


def _normals(path: str) -> Array:
    return unit(_vectors(path))


def _edges(path: str) -> Array:
    edges = deep(path).astype(np.float32)
    edges /= np.float32(FULL_EDGE)
    return np.minimum(edges, 1, out=edges)


_READERS: dict[str, tuple[Any, ...]] = {
    'semseg': (np.copy, 'segment_semantic', 'segmentsemantic'),
    'semseg_nyud': (LABEL_MAPS['taskonomy-to-nyud'].reader(), 'segment_semantic', 'segmentsemantic'),
    'semseg_nyuv2': (LABEL_MAPS['taskonomy-to-nyuv2-13'].reader(), 'segment_semantic', 'segmentsemantic'),
    'depth': (_depth, 'depth_zbuffer', 'depth_zbuffer'),
    'depth_euclidean': (_depth, 'depth_euclidean', 'depth_euclidean'),
    'normals': (_normals, 'normal', 'normal', _vectors),
    'edge': (_edges, 'edge_texture', 'edge_texture'),
}
"""By label: its reader, its folder, what its files call it, and the reader of what the first mends, where it does."""
_DECODERS = {'segment_semantic': _classes}
"""By folder of which several labels are made: its decoder, whose result their readers take."""


def _layout(name: str, title: str, folder: str) -> FileLayout:
    """Describe the order of the folders: ``folder`` holds ``{0}`` for the building and ``{domain}``."""

    def files(domain: str, called: str) -> Source:
        path = f'{folder.replace("{domain}", domain)}/{{1}}_domain_{called}.png'
        return Source.at(path, decode=_DECODERS.get(domain))

    maps = {
        label: MapFiles(read, (files(domain, called),), *stored)
        for label, (read, domain, called, *stored) in _READERS.items()
    }
    return FileLayout(name=name, title=title, images=files('rgb', 'rgb'), maps=maps)


@DATASETS.register_module()
class Taskonomy(ScannedDataset):
    """Taskonomy: 17 classes (or NYU Depth v2's), depth, normals and texture edges.

    ``labels=dict(semseg='semseg_nyud', ...)`` reads the classes as the 40 of NYUD, ``'semseg_nyuv2'`` as the 13.

    Args:
        data_root: Folder of the data.
        split: ``'train'``, ``'val'`` or ``'test'``.
        subset: One of :data:`SUBSETS`, each of which holds those before it.
        check: As in :class:`~mtlbox.datasets.listed.ListedDataset`, but not done by default.
        kwargs: As there, as is what is raised.

    Raises:
        ValueError: There is no such subset.
    """

    TITLE = 'Taskonomy'
    SUBSETS = SUBSETS
    LISTS = 'train_val_test_{subset}.csv'
    LAYOUTS = (
        _layout('taskonomy-buildings', 'a folder per building', '{0}/{domain}'),
        _layout('taskonomy-domains', 'a folder per domain', '{domain}/{0}'),
        _layout('taskonomy-omnidata', "as Omnidata's downloader writes it", '{domain}/taskonomy/{0}'),
    )
    METAINFO: ClassVar[dict] = {
        'labels': tuple(_READERS),
        'classes': {
            'semseg': TASKONOMY_17_CLASSES,
            'semseg_nyud': NYUD_40_CLASSES,
            'semseg_nyuv2': NYUV2_13_CLASSES,
        },
        'palette': {
            'semseg': distinct_colours(17),
            'semseg_nyud': distinct_colours(40),
            'semseg_nyuv2': distinct_colours(13),
        },
        'label_maps': {'semseg_nyud': 'taskonomy-to-nyud', 'semseg_nyuv2': 'taskonomy-to-nyuv2-13'},
        'units': {'depth': Depth.unit, 'depth_euclidean': Depth.unit},
        'usual': {'depth': (0.1, 40.0), 'depth_euclidean': (0.1, 40.0)},
        'sizes': {'train': None, 'val': None, 'test': None},
    }
    ORIGIN = (
        'omnitools.download of the Python package omnidata-tools (components taskonomy; domains rgb segment_semantic '
        'depth_zbuffer normal edge_texture), which writes taskonomy-omnidata, and '
        'data/assets/splits_taskonomy.zip of StanfordVL/taskonomy on GitHub.'
    )

    def __init__(self, *, data_root: str, split: str, subset: str = 'tiny', check: bool = False, **kwargs: Any) -> None:
        if subset not in SUBSETS:
            raise ValueError(f'Taskonomy has no subset {subset!r}.{did_you_mean(str(subset), SUBSETS)}')
        self.subset = subset
        self._buildings: tuple[str, ...] = ()
        super().__init__(data_root=data_root, split=split, check=check, **kwargs)

    @property
    def setting(self) -> str:
        """The subset, where it is not the one that papers score."""
        return '' if self.subset == 'tiny' else f'{self.subset} subset'

    @property
    def lists(self) -> str:
        """Path of the list of the subset."""
        return self.LISTS.format(subset=self.subset)

    def wanted(self) -> Mapping[str, Container[str]]:
        """Return the buildings of the split."""
        if not self._buildings:
            self._buildings = self.read_buildings()
        return {'0': self._buildings}

    def read_buildings(self) -> tuple[str, ...]:
        """Return the names of the buildings of the split, in order.

        Raises:
            FileNotFoundError: There is no list, or it has no building in this split.
            ValueError: It is no such list.
        """
        paths = self.list_files()
        if not paths:
            places = ', in '.join(_LIST_FOLDERS[1:])
            others = [subset for subset in SUBSETS if self._find_lists(subset)]
            hint = f' There is one of subset={" or ".join(map(repr, others))}.' if others else ''
            raise FileNotFoundError(
                f'There is no file {self.lists}, the list of the buildings of each split, in {self.data_root}, in '
                f'{places} there.{hint}\n{self._help()}'
            )
        try:
            with opened(paths[0]) as file:
                rows = list(csv.DictReader(io.StringIO(file.read().decode('utf-8-sig'), newline='')))
            found = tuple(sorted(row['id'] for row in rows if row[self.split] == '1'))
        except (KeyError, TypeError, csv.Error, UnicodeDecodeError) as error:
            raise ValueError(
                f'{paths[0]} is not a list with the columns id, train, val and test ({type(error).__name__}: {error}).'
            ) from None
        if not found:
            raise FileNotFoundError(f'{paths[0]} names no building of the split {self.split!r}.')
        return found

    def list_files(self) -> list[Path]:
        """Return the list of the buildings of the subset, which all splits share."""
        return self._find_lists(self.subset)[:1]

    def _find_lists(self, subset: str) -> list[Path]:
        paths = [Path(self.data_root, folder, self.LISTS.format(subset=subset)) for folder in _LIST_FOLDERS]
        return [path for path in paths if path.is_file()]

    def read_names(self) -> Iterator[str]:
        """Yield the names of the split, building by building.

        Raises:
            FileNotFoundError: There are none, or a building is missing.
        """
        seen: set[str] = set()
        for name in super().read_names():
            seen.add(name.partition('/')[0])
            yield name
        missing = [building for building in self._buildings if building not in seen]
        if missing:
            self.refuse_missing(
                f'Missing: the pictures of the buildings {some(missing)}, which {self.lists} has in the split '
                f'{self.split!r}.\n{self._help()}'
            )
