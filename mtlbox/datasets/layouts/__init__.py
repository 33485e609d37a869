"""The layouts that data sets have on disk, and who writes them. A new data set is one entry in ``LAYOUTS``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.datasets.cityscapes_mtan import CityscapesMTAN
from mtlbox.datasets.layouts import mtan_cityscapes, mtan_nyuv2, nyud, pascal
from mtlbox.datasets.layouts.writing import Files
from mtlbox.datasets.nyud import NYUD
from mtlbox.datasets.nyuv2 import NYUv2
from mtlbox.datasets.pascal_context import PASCALContext
from mtlbox.tasks.base import Array


@dataclass(frozen=True)
class Layout:
    """How one data set lies on disk.

    Attributes:
        title: One line for people.
        dataset: The class that reads it.
        tasks: A task per label, as configs.
        size: (H, W) of its maps.
        encode_room: Turns a rendered room into its files (:data:`~mtlbox.datasets.layouts.writing.Files`), whose paths
            are relative to the root and may hold ``{split}`` and ``{index}``.
        lists: Lists of the splits: path, which may hold ``{split}``, and line, which may hold ``{index}`` too.
        options: What the constructor of the class is given for this layout.
    """

    title: str
    dataset: type[MultiTaskDataset]
    tasks: Mapping[str, dict]
    size: tuple[int, int]
    encode_room: Callable[[Mapping[str, Array]], Files] = field(repr=False)
    lists: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """Samples per split of the full data set."""
        return {split: self.dataset.METAINFO['sizes'][split] for split in ('train', 'val')}


def _tasks(dataset: type[MultiTaskDataset], **types: str) -> dict[str, dict]:
    """Return a task per label: of the type given, else of that many classes as the label has."""
    classes = dataset.METAINFO['classes']
    return {
        label: {'type': types[label]} if label in types else {'type': 'SemSeg', 'num_classes': len(classes[label])}
        for label in dataset.METAINFO['labels']
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
            lists={NYUD.LISTS: nyud.NAME},
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
        lists={PASCALContext.LISTS: pascal.NAME},
    ),
}
"""The layouts by the data set's name in config files."""

__all__ = ['LAYOUTS', 'Layout']
