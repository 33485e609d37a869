"""Where the files of a sample are, said by templates of paths; names of samples are read off the folders by the same.

In a template ``{name}`` stands for the name of a sample, ``{0}``, ``{1}`` ... for its parts between slashes, and
``{split}`` for the split: ``gtFine/{split}/{0}/{1}_gtFine_labelIds.png``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mtlbox.tasks.base import Array

_FIELD = re.compile(r'\{(\w+)\}')
_LOSSY = ('.jpg', '.jpeg')
LARGEST_SCALE = 4
"""How many times larger or smaller than its picture, along each side, a map may be that is brought to its size."""


class Source(NamedTuple):
    """Files of one kind.

    Attributes:
        paths: Templates of where they are below the root; of several, the first where the file is.
        decode: What several labels are made of, of a path, which is then done once per sample; None where each label
            reads the file itself.
    """

    paths: tuple[str, ...]
    decode: Callable[[str], Any] | None = None

    @classmethod
    def at(cls, *paths: str, decode: Callable[[str], Any] | None = None) -> Source:
        """Return the files at the given places."""
        return cls(paths, decode)

    def __str__(self) -> str:
        return ' or '.join(_FIELD.sub('*', path) for path in self.paths)


class MapFiles(NamedTuple):
    """How one kind of label is stored.

    Attributes:
        read: Takes, per source, the path or what is decoded of it, into which it does not write; returns the map in the
            toolbox's encoding, a new array; raises ValueError naming the file.
        sources: The files that it is read from.
        stored: Takes the path of the first source and returns what it holds before reading mends it, as the length of
            vectors; None where reading mends nothing.
    """

    read: Callable[..., Array]
    sources: tuple[Source, ...]
    stored: Callable[[str], Array] | None = None

    @property
    def lossy(self) -> bool:
        """Whether it is kept in a format that blurs it."""
        return any(path.endswith(_LOSSY) for path in self.sources[0].paths)

    def load(self, paths: Sequence[str], decoded: dict[str, Any]) -> Array:
        """Return the map of a sample.

        Args:
            paths: One per source.
            decoded: What has been decoded for the sample, by path; what is decoded now is added.
        """
        given = []
        for source, path in zip(self.sources, paths, strict=True):
            if source.decode is not None and path not in decoded:
                decoded[path] = source.decode(path)
            given.append(path if source.decode is None else decoded[path])
        return self.read(*given)


def sizes_said(path: str, size: tuple[int, ...], full: tuple[int, ...]) -> str:
    """Say of which size the map of a file is, and of which its picture."""
    return f'{path}: the map is {size[0]}x{size[1]}, its picture {full[0]}x{full[1]}'


def is_scaled(size: tuple[int, ...], full: tuple[int, ...]) -> bool:
    """Return whether ``size`` (H, W) is ``full`` at another scale: up to 4 times it, rounded to whole pixels."""
    if not all(full):
        return False  # a damaged head
    lowest = max((side - 0.5) / whole for side, whole in zip(size, full, strict=True))
    highest = min((side + 0.5) / whole for side, whole in zip(size, full, strict=True))
    return lowest <= highest and highest >= 1 / LARGEST_SCALE and lowest <= LARGEST_SCALE


@dataclass(frozen=True)
class FileLayout:
    """One archive of a data set.

    Attributes:
        name: Its name in ``tools/data.py`` and in the metainfo.
        title: What it is, for people.
        images: The pictures.
        maps: The labels by name.
        resample: Whether maps of another size than their picture are brought to its size, as the archive's own code
            does; else that is an error.
        origin: What to fetch and where it is offered; it may hold ``{root}``. '' where that is said of the
            data set's layouts together.
    """

    name: str
    title: str
    images: Source
    maps: Mapping[str, MapFiles]
    resample: bool = False
    origin: str = ''

    def sources(self) -> list[Source]:
        """Return all kinds of files, each once."""
        return list(dict.fromkeys([self.images, *(source for files in self.maps.values() for source in files.sources)]))

    def fits(self, suffixes: Callable[[str], set[str]]) -> bool:
        """Return whether the pictures are there and no folder has only files of other suffixes.

        Args:
            suffixes: Takes a template and returns the suffixes of the files in its folder.
        """
        for source in self.sources():
            kinds = [(path, found) for path in source.paths if (found := suffixes(path))]
            if kinds and not any(Path(path).suffix in found for path, found in kinds):
                return False
            if not kinds and source is self.images:
                return False
        return True

    def __str__(self) -> str:
        return f'{self.name} ({self.title}): {", ".join(map(str, self.sources()))}'


def fields_of(template: str) -> list[str]:
    """Return the fields of a template, each once, in the order in which they come."""
    return list(dict.fromkeys(_FIELD.findall(template)))


def place(template: str, name: str, split: str) -> str:
    """Return the path below the root that ``template`` gives for a sample."""
    return template.format(*name.split('/'), name=name, split=split)


def find_names(root: str | Path, template: str, wanted: Mapping[str, Container[str]]) -> Iterator[str]:
    """Yield the names of the samples whose files are there, sorted folder by folder; one folder is held at a time.

    Args:
        root: Folder of the data.
        template: Where the files are; its fields are ``{0}``, ``{1}`` ..., and those that ``wanted`` fixes.
        wanted: By field: which values are taken; by default all.
    """
    for values in _walk(str(root), template.split('/'), {}, wanted):
        yield '/'.join(values[str(part)] for part in range(len(values)) if str(part) in values)


def suffixes_in(root: str | Path, template: str, wanted: Mapping[str, Container[str]]) -> set[str]:
    """Return the suffixes of the files in the folders that fit ``template``, up to the first with one of its own."""
    parts, found = template.split('/')[:-1], set[str]()
    for folder in _walk_folders(str(root), parts, wanted):
        found |= {Path(name).suffix for name in os.listdir(folder) if not name.startswith('.')} - {''}
        if Path(template).suffix in found:
            return found
    return found


def _walk_folders(root: str, parts: list[str], wanted: Mapping[str, Container[str]]) -> Iterator[str]:
    for values in _walk(root, parts, {}, wanted):
        fields = [values.get(str(number), '') for number in range(len(values))]
        path = os.path.join(root, '/'.join(parts).format(*fields, **values))
        if os.path.isdir(path):
            yield path


def _walk(
    folder: str, parts: list[str], known: dict[str, str], wanted: Mapping[str, Container[str]]
) -> Iterator[dict[str, str]]:
    """Yield the values of the fields of every path below ``folder`` that fits ``parts``, one pattern per level."""
    if not parts:
        yield known
        return
    fields, rest = _FIELD.findall(parts[0]), parts[1:]
    if not fields:
        path = os.path.join(folder, parts[0])
        if os.path.isdir(path) if rest else os.path.exists(path):
            yield from _walk(path, rest, known, wanted)
        return
    if not os.path.isdir(folder):
        return
    pattern = re.compile(''.join('(.+?)' if i % 2 else re.escape(x) for i, x in enumerate(_FIELD.split(parts[0]))))
    for entry in sorted(os.listdir(folder)):
        found = pattern.fullmatch(entry)
        if found is None or entry.startswith('.'):  # as of a system's own files beside the pictures
            continue
        values = dict(zip(fields, found.groups()))
        if all(field not in wanted or value in wanted[field] for field, value in values.items()):
            yield from _walk(os.path.join(folder, entry), rest, {**known, **values}, wanted)
