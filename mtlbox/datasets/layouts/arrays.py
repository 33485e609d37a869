"""Converting any data set of pictures, in whatever layout, to the arrays of :mod:`mtlbox.datasets.arrays`.

Everything that a label needs is done once: pictures and MATLAB files are decoded, parts merged, boundaries and normals
computed, maps of another size brought to that of their picture. What is written is what the data set reads, exact but
for vectors, which are rounded to 16 bits. The data set recognises the result like any of its layouts, so that a config
needs no change but the folder; a replica stays a replica. A folder that was not converted to the end is refused.
The state of each sample's source is kept in ``.mtlbox/sources.json``; where it has changed since, the sample is
converted anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from mtlbox.datasets import npy
from mtlbox.datasets.arrays import ARRAYS, encode_array
from mtlbox.datasets.layouts.hashes import Hashes
from mtlbox.datasets.layouts.writing import (
    MARKER,
    claim,
    encode_file,
    require_space,
    stream_jobs,
    write_files,
    write_json,
    write_text,
)
from mtlbox.datasets.listed import ListedDataset
from mtlbox.datasets.listing import Files
from mtlbox.datasets.messages import REPLICA_MARKER, UNFINISHED_MARKER
from mtlbox.datasets.verdict import FOLDER, Stamp
from mtlbox.datasets.verify import KNOWN, NEEDED, Part, build, parts_of, silent
from mtlbox.registry import did_you_mean
from mtlbox.tasks.base import Array

SETS = {
    name: name.removesuffix(f'-{ARRAYS}') for name, (_, _, options) in KNOWN.items() if options.get('layout') == ARRAYS
}
"""What can be made: name of the result, and name of the data set."""
REFUSED = {f'{name}-{ARRAYS}': name for name, (cls, _, _) in KNOWN.items() if not issubclass(cls, ListedDataset)}
"""What is not made, since the data set is NumPy files itself, whose pictures are not whole numbers."""
_STAMPS = f'{FOLDER}/sources.json'


@dataclass(frozen=True)
class _Job:
    """A sample to convert.

    Attributes:
        part: Where it is from.
        index: Its number there.
        root: Where it goes to.
    """

    part: Part
    index: int
    root: Path


def convert(
    source: str | Path,
    root: str | Path,
    *,
    dataset: str,
    labels: Sequence[str] | None = None,
    subset: str | None = None,
    workers: int = 1,
    quiet: bool = False,
) -> dict[str, int]:
    """Write a data set as arrays below ``root``; return how many samples were written now, per split.

    Called again with the same parameters it writes what is missing or whose source has changed. Every file is complete
    or absent.

    Args:
        source: Folder of the data.
        root: A new or empty folder, or one that an earlier call with the same parameters has begun.
        dataset: Name in :data:`SETS`.
        labels: Which labels; by default all that the data set has, which must all be there.
        subset: Which subset, where the data set has several; by default the one that its class reads.
        workers: Processes.
        quiet: Show no progress bar.

    Raises:
        FileNotFoundError: ``source`` or a file in it is missing.
        FileExistsError: ``root`` holds something else.
        OSError: The disk is too small.
        ValueError: ``dataset``, a label or the subset is unknown, the data set is arrays already, the layout cannot be
            told, or a file is damaged.
    """
    if dataset not in SETS:
        raise ValueError(_why_not(dataset))
    name = SETS[dataset]
    parts = parts_of(name, source, labels=list(KNOWN[name][1]) if labels is None else labels, subset=subset)
    with silent():
        written = _convert(dataset, parts, Path(source), Path(root), workers=workers, quiet=quiet)
        build.cache_clear()
    return written


def _convert(
    dataset: str, parts: Sequence[Part], source: Path, root: Path, *, workers: int, quiet: bool
) -> dict[str, int]:
    splits = {
        part: cast(ListedDataset, build(part, check=None, allow_missing=False))
        for part in parts
        if part.split in NEEDED or _is_there(part)
    }
    first, data = next(iter(splits.items()))
    if data.layout.name == ARRAYS:
        raise ValueError(f'{source} holds arrays already.')
    parameters = {
        'content': 'arrays',
        'dataset': first.dataset,
        'source': str(source.resolve()),
        'layout': data.layout.name,
        'labels': list(first.labels or ()),
        **({} if first.subset is None else {'subset': first.subset}),
    }
    claim(root, MARKER, parameters)
    if data.metainfo['replica']:
        write_json(root / REPLICA_MARKER, {'content': 'rendered rooms, converted', **parameters})
    write_text(root / UNFINISHED_MARKER, f'The same command goes on: tools/data.py convert {dataset} {source} {root}\n')
    jobs = _open_jobs(splits, root)
    if jobs:
        size = sum(len(encode_file(path, array)) for path, array in _encode(jobs[0]).items())
        require_space(root, len(jobs) * size)
    hashes = Hashes(root)
    hashes.note(stream_jobs(_convert_one, jobs, workers=workers, description=str(root), quiet=quiet))
    for one in splits.values():
        for path in one.list_files():
            write_text(root / path.relative_to(source), path.read_text(encoding='utf-8'))
    (root / UNFINISHED_MARKER).unlink()
    hashes.finish()
    return {part.split: sum(job.part == part for job in jobs) for part in splits}


def _is_there(part: Part) -> bool:
    """Return whether a split that may be missing is there; damage to it is an error."""
    try:
        build(part)
    except FileNotFoundError:
        return False
    return True


def _why_not(dataset: str) -> str:
    """Say why nothing is converted to a name, and what is."""
    if dataset in REFUSED:
        return (
            f'{REFUSED[dataset]} is NumPy files already, one per map, with pictures that 8 bits do not hold exactly. '
            f'Arrays are made of {", ".join(SETS.values())}.'
        )
    return f'Nothing is converted to {dataset!r}.{did_you_mean(dataset, SETS)}'


def _open_jobs(splits: Mapping[Part, ListedDataset], root: Path) -> list[_Job]:
    """Return what is not there yet, each sample once though several splits may have it.

    What is there of a source that has changed since is removed, and what the sources are now is written down.
    """
    before, now, jobs = _read_stamps(root), dict[str, str](), []
    for part, data in splits.items():
        for index in range(len(data)):
            files = _files_of(data, index)
            sample = files['image']
            if sample in now:
                continue
            now[sample] = Stamp(data.files_of(data.get_data_info(index)), part.root).digest
            if before.get(sample, now[sample]) != now[sample]:
                for path in files.values():
                    (root / path).unlink(missing_ok=True)
            if not all(_is_whole(root / path) for path in files.values()):
                jobs.append(_Job(part, index, root))
    write_json(root / _STAMPS, now)
    return jobs


def _read_stamps(root: Path) -> dict[str, str]:
    """Return what the source of each sample was when its conversion began, by the path of its image; {} if unknown."""
    with suppress(FileNotFoundError, ValueError):
        found = json.loads((root / _STAMPS).read_text(encoding='utf-8'))
        if isinstance(found, dict):
            return found
    return {}


def _files_of(data: ListedDataset, index: int) -> dict[str, str]:
    """Return the file of each label of a sample below the root, and that of the image under ``'image'``."""
    files = Files.of(data.arrays(), data.label_names.values(), '', data.split)
    info = files.describe(data.get_data_info(index)['sample_id'], {})
    return {'image': info['img_path'], **info['label_paths']}


def _is_whole(path: Path) -> bool:
    try:
        npy.read_header(path)
    except (FileNotFoundError, ValueError):
        return False
    return True


def _encode(job: _Job) -> dict[str, Array]:
    """Read a sample and return what its files are to hold, by path."""
    data = cast(ListedDataset, build(job.part, allow_missing=False))
    sample = data.load_sample(job.index)
    image, gt = sample['img'], sample['gt']
    if image.dtype != np.uint8:
        raise ValueError(f'{sample["img_path"]}: an image of 8 bits is expected, but it has type {image.dtype}.')
    maps = {label: gt[label] if label in gt else task.empty(image.shape[:2]) for label, task in data.tasks.items()}
    files = _files_of(data, job.index)
    return {files[key]: encode_array(array) for key, array in {'image': image, **maps}.items()}


def _convert_one(job: _Job) -> dict[Path, str]:
    """Convert one sample; return the hashes of its files."""
    return write_files(job.root, _encode(job))
