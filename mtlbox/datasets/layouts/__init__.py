"""The layouts that data sets have on disk, and who writes them. A new data set is one entry in ``LAYOUTS``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.datasets.cityscapes import Cityscapes
from mtlbox.datasets.cityscapes_mtan import CityscapesMTAN
from mtlbox.datasets.layouts import (
    cityscapes,
    mtan_cityscapes,
    mtan_nyuv2,
    nyud,
    pascal,
    synthia,
    taskonomy,
    vkitti2,
)
from mtlbox.datasets.layouts.writing import Files
from mtlbox.datasets.nyud import NYUD
from mtlbox.datasets.nyuv2 import NYUv2
from mtlbox.datasets.pascal_context import PASCALContext
from mtlbox.datasets.synthia import CAMERA as CAMERA_OF_SYNTHIA
from mtlbox.datasets.synthia import Synthia
from mtlbox.datasets.taskonomy import Taskonomy
from mtlbox.datasets.vkitti2 import CAMERA as CAMERA_OF_VKITTI2
from mtlbox.datasets.vkitti2 import VKITTI2
from mtlbox.tasks.base import Array


def _no_lists(counts: Mapping[str, int]) -> dict[str, str]:
    return {}


def _split_and_index(split: str, index: int) -> dict[str, Any]:
    return {'split': split, 'index': index}


def _lines(path: str, line: str) -> Callable[[Mapping[str, int]], dict[str, str]]:
    """Return the writer of a list per split: ``path`` may hold ``{split}``, ``line`` ``{index}`` too."""

    def write(counts: Mapping[str, int]) -> dict[str, str]:
        return {
            path.format(split=split): ''.join(f'{line.format(split=split, index=index)}\n' for index in range(count))
            for split, count in counts.items()
        }

    return write


@dataclass(frozen=True)
class Layout:
    """How one data set lies on disk.

    Attributes:
        title: One line for people.
        dataset: The class that reads it.
        tasks: A task per label, as configs.
        size: (H, W) of its maps.
        encode_room: Turns a rendered room into its files (:data:`~mtlbox.datasets.layouts.writing.Files`), whose paths
            are relative to the root and may hold ``fields``.
        lists: Takes the samples per split and returns the lists that the data set has, texts by path.
        fields: Takes split and index of a sample and returns what stands for the fields of its paths, if these are not
            ``{split}`` and ``{index}``.
        samples: Samples per split of a replica, where those of the full data set are not known.
        options: What the constructor of the class is given for this layout.
    """

    title: str
    dataset: type[MultiTaskDataset]
    tasks: Mapping[str, dict]
    size: tuple[int, int]
    encode_room: Callable[[Mapping[str, Array]], Files] = field(repr=False)
    lists: Callable[[Mapping[str, int]], Mapping[str, str]] = field(default=_no_lists, repr=False)
    fields: Callable[[str, int], Mapping[str, Any]] = field(default=_split_and_index, repr=False)
    samples: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """Samples per split of the full data set, or of a replica where these are not known."""
        return {split: self.samples.get(split) or self.dataset.METAINFO['sizes'][split] for split in ('train', 'val')}


def _tasks(dataset: type[MultiTaskDataset], **types: str) -> dict[str, dict]:
    """Return a task per label: of the type given, else of that many classes as the label has.

    Labels that are read through a label map are left out: they are other names for the same files.
    """
    classes, mapped = dataset.METAINFO['classes'], dataset.METAINFO.get('label_maps', ())
    return {
        label: {'type': types[label]} if label in types else {'type': 'SemSeg', 'num_classes': len(classes[label])}
        for label in dataset.METAINFO['labels']
        if label not in mapped
    }


LAYOUTS = {
    NYUv2.LAYOUT: Layout(
        title="NYU Depth v2, 13 classes, in MTAN's layout",
        dataset=NYUv2,
        tasks=_tasks(NYUv2, depth='Depth', normals='Normals'),
        size=NYUv2.SIZE,
        encode_room=mtan_nyuv2.encode_room,
    ),
    CityscapesMTAN.LAYOUT: Layout(
        title="Cityscapes, 19 and 7 classes and disparity, in MTAN's layout",
        dataset=CityscapesMTAN,
        tasks=_tasks(CityscapesMTAN, disparity='Disparity'),
        size=CityscapesMTAN.SIZE,
        encode_room=mtan_cityscapes.encode_room,
    ),
    **{
        layout.name: Layout(
            title=f'NYU Depth v2, 40 classes, normals and boundaries, as {layout.title}',
            dataset=NYUD,
            tasks=_tasks(NYUD, depth='Depth', normals='Normals', boundary='Boundary'),
            size=nyud.SIZES[layout.name],
            encode_room=nyud.ENCODERS[layout.name],
            lists=_lines(NYUD.LISTS, nyud.NAME),
            options={'layout': layout.name},
        )
        for layout in NYUD.LAYOUTS
    },
    'pascal': Layout(
        title='PASCAL-Context, 21 classes, human parts, saliency, normals and boundaries',
        dataset=PASCALContext,
        tasks=_tasks(
            PASCALContext, human_parts='HumanParts', saliency='Saliency', normals='Normals', boundary='Boundary'
        ),
        size=pascal.SIZE,
        encode_room=pascal.encode_room,
        lists=pascal.lists,
    ),
    'cityscapes-raw': Layout(
        title='Cityscapes as released, 19 classes, disparity and depth (and normals from it)',
        dataset=Cityscapes,
        tasks=_tasks(Cityscapes, disparity='Disparity', depth='Depth', normals='Normals'),
        size=cityscapes.SIZE,
        encode_room=cityscapes.encode_room,
    ),
    **{
        layout.name: Layout(
            title=f'Virtual KITTI 2, 14 classes and depth (and normals from it), {layout.title}',
            dataset=VKITTI2,
            tasks=_tasks(VKITTI2, depth='Depth', normals='Normals'),
            size=CAMERA_OF_VKITTI2.size,
            encode_room=vkitti2.ENCODERS[layout.name],
            fields=vkitti2.fields,
            options={'layout': layout.name},
        )
        for layout in VKITTI2.LAYOUTS
    },
    'synthia': Layout(
        title='SYNTHIA-RAND-CITYSCAPES, 22 classes and depth (and normals from it)',
        dataset=Synthia,
        tasks=_tasks(Synthia, depth='Depth', normals='Normals'),
        size=CAMERA_OF_SYNTHIA.size,
        encode_room=synthia.encode_room,
        fields=synthia.fields,
    ),
    **{
        layout.name: Layout(
            title=f'Taskonomy, 17 classes, depth, normals and texture edges, {layout.title}',
            dataset=Taskonomy,
            tasks=_tasks(Taskonomy, depth='Depth', depth_euclidean='Depth', normals='Normals', edge='Edge'),
            size=taskonomy.SIZE,
            encode_room=taskonomy.ENCODERS[layout.name],
            lists=taskonomy.lists,
            samples=taskonomy.COUNTS,
            options={'layout': layout.name},
        )
        for layout in Taskonomy.LAYOUTS
    },
}
"""The layouts by the data set's name in config files."""

SEVERAL = {'nyud': 'nyud-c', 'vkitti2': 'vkitti2-joint', 'taskonomy': 'taskonomy-buildings'}
"""Data sets that are read in any of several layouts, and one of these."""

__all__ = ['LAYOUTS', 'SEVERAL', 'Layout']
