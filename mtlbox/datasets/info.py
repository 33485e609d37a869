"""What is known of a data set, and what a folder holds."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mtlbox.datasets.layouts import LAYOUTS
from mtlbox.datasets.layouts.arrays import SETS
from mtlbox.datasets.layouts.nyu_official import find_official
from mtlbox.datasets.listed import ListedDataset
from mtlbox.datasets.messages import origin_at
from mtlbox.datasets.remote import SOURCES
from mtlbox.datasets.verify import KNOWN, build, parts_of, recognise, silent
from mtlbox.registry import did_you_mean


def describe(dataset: str, root: str | Path | None = None) -> str:
    """Say what a data set is: its splits, labels, layouts, and where to get it; and what ``root`` holds.

    Raises:
        ValueError: The name is unknown.
    """
    if dataset in SOURCES and dataset not in KNOWN:
        lines = [f'{dataset}: {SOURCES[dataset].title}', *_how_to_get(dataset)]
    elif dataset in KNOWN:
        lines = _describe(dataset)
    else:
        raise ValueError(f'{dataset!r} is no data set.{did_you_mean(dataset, {**KNOWN, **SOURCES})}')
    return '\n'.join([*lines, *(_at(Path(root)) if root is not None else [])])


def title_of(dataset: str) -> str:
    """Return one line on a data set of :data:`~mtlbox.datasets.verify.KNOWN`."""
    if dataset in LAYOUTS:
        return LAYOUTS[dataset].title
    cls, _, options = KNOWN[dataset]
    return f'{getattr(cls, "TITLE", cls.__name__)}, {"as arrays" if options else "in any of its layouts"}'


def _describe(dataset: str) -> list[str]:
    cls, tasks, _ = KNOWN[dataset]
    meta = cls.METAINFO
    layout = LAYOUTS.get(dataset)
    lines = [
        f'{dataset}: {title_of(dataset)}',
        f'class: {cls.__name__}; splits: '
        + ', '.join(f'{split} {count or ""}'.rstrip() for split, count in meta['sizes'].items()),
    ]
    if layout:
        lines.append(f'size: {layout.size[0]}x{layout.size[1]}' + ('' if cls.ONE_SIZE else ', most of them'))
    for label, task in tasks.items():
        classes, unit = meta.get('classes', {}).get(label), meta.get('units', {}).get(label)
        said = f', {unit}' if unit else ''
        said = f', {len(classes)} classes: {", ".join(classes)}' if classes else said
        lines.append(f'label {label}: task {task["type"]}{said}')
    if issubclass(cls, ListedDataset):
        lines += [f'layout {layout}' for layout in cls.layouts()]
    return [*lines, *_how_to_get(dataset)]


def _how_to_get(dataset: str) -> list[str]:
    cls = KNOWN[dataset][0] if dataset in KNOWN else None
    lines = [f'to get it: {origin_at(cls.origin_of(dataset), "ROOT")}'] if cls is not None else []
    if dataset in SETS:
        lines.append(f'python tools/data.py convert {dataset} SOURCE ROOT makes it of any of its layouts')
    if dataset in SOURCES:
        lines += [f'python tools/data.py download {dataset} ROOT fetches {file}' for file in SOURCES[dataset].files]
    return lines


def _at(root: Path) -> list[str]:
    """Say what a folder holds."""
    if not root.exists():
        return [f'at {root}: nothing']
    try:
        os.listdir(root)
    except NotADirectoryError:  # it may be the official file
        pass
    except OSError as error:
        return [f'at {root}: it cannot be read ({error.strerror})']
    official = find_official(root)
    lines = [f'at {root}: the official NYU file, {official}'] if official is not None else []
    with silent():
        for found in recognise(root):
            counts, built = [], build(found)
            for part in parts_of(found.dataset, root, subset=found.subset):
                with suppress(OSError, ValueError):
                    built = build(part)
                    counts.append(f'{part.split} {len(built)}')
            layout = built.metainfo.get('layout', found.dataset)
            subset = f', subset {found.subset}' if found.subset else ''
            kind = ' (a replica: rendered rooms)' if built.metainfo['replica'] else ''
            lines.append(f'at {root}: {found.dataset}, layout {layout}{subset}{kind}; ' + ', '.join(counts))
        build.cache_clear()
    return lines or [f'at {root}: nothing that is known']
