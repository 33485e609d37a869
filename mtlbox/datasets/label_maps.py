"""How the classes of one data set are named in another: tables by name, which labels of data sets are read through.

A label that is read so has a name of its own (``semseg_cityscapes`` of :class:`~mtlbox.datasets.vkitti2.VKITTI2`), the
classes of the other data set, and the name of its table in ``METAINFO['label_maps']``.

None of these tables but that of NYU Depth v2 and, by use, Synthia's is published: they are ours [documented
assumption].

- Virtual KITTI 2 to Cityscapes: by name; trees are vegetation, vans cars (as Cityscapes defines its car); guard
  rails, which Cityscapes does not evaluate, and Virtual KITTI's ``misc`` have no class.
- Synthia to Cityscapes: by name, as papers on domain adaptation have it; parking slots, road works and lane markings
  have no class there.
- Taskonomy to NYU Depth v2: things go where the official mapping of 894 to 40 classes puts their name (bottles,
  clocks, vases, potted plants, microwaves and toasters are other props, ovens other structures; books are books).
  Taskonomy's background can be any of NYU's classes, so it has none.
- NYU Depth v2 to Taskonomy, to test on the one what was trained on the other: what Taskonomy names goes there, what
  may hold things that Taskonomy names apart (other props, objects, ...) has no class, all else is background."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mtlbox.datasets.class_names import (
    CITYSCAPES_19_CLASSES,
    NYUD_40_CLASSES,
    NYUV2_13_CLASSES,
    SYNTHIA_22_CLASSES,
    TASKONOMY_17_CLASSES,
    VKITTI2_14_CLASSES,
)
from mtlbox.datasets.decode import looked_up
from mtlbox.registry import did_you_mean
from mtlbox.tasks.base import Array


def as_decoded(classes: Array) -> Array:
    """Return the classes as they were decoded."""
    return classes


@dataclass(frozen=True)
class LabelMap:
    """A table from the classes of one data set to those of another.

    Attributes:
        name: Its name.
        source: Classes that are stored.
        target: Classes that are meant.
        pairs: By class of the source: class of the target; None for those that have none there (ignored, 255). A class
            that is not named keeps its name.

    Raises:
        ValueError: A class is in neither list; the message gives the nearest.
    """

    name: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    pairs: Mapping[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for classes, named in ((self.source, list(self.pairs)), (self.target, [self.of(x) for x in self.source])):
            for one in named:
                if one is not None and one not in classes:
                    raise ValueError(f'Label map {self.name!r}: there is no class {one!r}.{did_you_mean(one, classes)}')

    def of(self, name: str) -> str | None:
        """Return the class of the target that a class of the source belongs to, or None."""
        return self.pairs.get(name, name)

    def table(self) -> Array:
        """Return a table of 256 numbers; what is no class of the source becomes 255."""
        table = np.full(256, 255, dtype=np.uint8)
        for index, name in enumerate(self.source):
            meant = self.of(name)
            if meant is not None:
                table[index] = self.target.index(meant)
        return table

    def then(self, other: LabelMap, name: str) -> LabelMap:
        """Return this table followed by ``other``."""
        met = {one: self.of(one) for one in self.source}
        return LabelMap(
            name, self.source, other.target, {one: None if x is None else other.of(x) for one, x in met.items()}
        )

    def reader(self, read: Callable[..., Array] = as_decoded) -> Mapped:
        """Return a reader of the classes that ``read`` gives, which may be sent to another process.

        By default it is given the classes, which a :class:`~mtlbox.datasets.sources.Source` has decoded.
        """
        return Mapped(read, self.name, self.table())


@dataclass(frozen=True)
class Mapped:
    """Reads classes and looks them up in a table.

    Attributes:
        read: Returns classes ``(H, W)``, 0..254, and 255 for what is ignored.
        name: Name of the label map.
        table: 256 numbers.
    """

    read: Callable[..., Array]
    name: str
    table: Array = field(compare=False, repr=False)

    def __call__(self, *arguments: Any) -> Array:
        """Return the classes that are meant, uint8 ``(H, W)``."""
        return looked_up(self.read(*arguments), self.table)


_NYUD_TO_13 = LabelMap(
    'nyud-to-nyuv2-13',
    NYUD_40_CLASSES,
    NYUV2_13_CLASSES,
    dict(
        zip(
            NYUD_40_CLASSES,
            (
                'wall', 'floor', 'furniture', 'bed', 'chair', 'sofa', 'table', 'wall', 'window', 'furniture', 'picture',
                'furniture', 'window', 'table', 'furniture', 'window', 'furniture', 'objects', 'objects', 'floor',
                'objects', 'ceiling', 'books', 'furniture', 'tv', 'objects', 'objects', 'objects', 'objects', 'objects',
                'objects', 'furniture', 'objects', 'objects', 'objects', 'objects', 'objects', 'objects', 'furniture',
                'objects',
            ),
        )
    ),
)  # fmt: skip
_TASKONOMY_TO_NYUD = LabelMap(
    'taskonomy-to-nyud',
    TASKONOMY_17_CLASSES,
    NYUD_40_CLASSES,
    {
        'background': None, 'couch': 'sofa', 'dining table': 'table', 'tv': 'television', 'book': 'books',
        'oven': 'other structure',
        **dict.fromkeys(('bottle', 'potted plant', 'microwave', 'toaster', 'clock', 'vase'), 'other prop'),
    },
)  # fmt: skip
_MIXED = ('other prop', 'other structure', 'other furniture', 'box', 'bag')
_LABEL_MAPS = (
    LabelMap(
        'vkitti2-to-cityscapes',
        VKITTI2_14_CLASSES,
        CITYSCAPES_19_CLASSES,
        {'tree': 'vegetation', 'van': 'car', 'guard rail': None, 'misc': None},
    ),
    LabelMap(
        'synthia-to-cityscapes',
        SYNTHIA_22_CLASSES,
        CITYSCAPES_19_CLASSES,
        {'pedestrian': 'person', 'parking slot': None, 'road work': None, 'lane marking': None},
    ),
    _NYUD_TO_13,
    _TASKONOMY_TO_NYUD,
    _TASKONOMY_TO_NYUD.then(_NYUD_TO_13, 'taskonomy-to-nyuv2-13'),
    LabelMap(
        'nyud-to-taskonomy',
        NYUD_40_CLASSES,
        TASKONOMY_17_CLASSES,
        {
            **dict.fromkeys(NYUD_40_CLASSES, 'background'),
            **{name: name for name in ('bed', 'chair', 'refrigerator', 'toilet', 'sink')},
            **{'sofa': 'couch', 'table': 'dining table', 'television': 'tv', 'books': 'book'},
            **dict.fromkeys(_MIXED),
        },
    ),
    LabelMap(
        'nyuv2-13-to-taskonomy',
        NYUV2_13_CLASSES,
        TASKONOMY_17_CLASSES,
        {
            **dict.fromkeys(NYUV2_13_CLASSES, 'background'),
            **{'bed': 'bed', 'chair': 'chair', 'books': 'book', 'sofa': 'couch', 'table': 'dining table', 'tv': 'tv'},
            **{'furniture': None, 'objects': None},
        },
    ),
)
LABEL_MAPS: Mapping[str, LabelMap] = {one.name: one for one in _LABEL_MAPS}
"""The tables by name."""
