"""Converting any data set of pictures, in whatever layout, to the arrays of :mod:`mtlbox.datasets.arrays`.

Everything that a label needs is done once: pictures and MATLAB files are decoded, parts merged, boundaries and normals
computed, maps of another size brought to that of their picture. What is written is what the data set reads, exact but
for vectors, which are rounded to 16 bits. The data set recognises the result like any of its layouts, so that a config
needs no change but the folder; a replica stays a replica. A folder that was not converted to the end is refused.
The state of each sample's source is kept (:mod:`~mtlbox.datasets.layouts.states`); where it has changed since, the
sample is converted anew, and where it has gone, its arrays go too. What is held of a sample are 16 bytes of that and 4
of its number while it waits.
"""

from __future__ import annotations

import shlex
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from mmengine.logging import print_log

from mtlbox.datasets import npy
from mtlbox.datasets.arrays import ARRAYS, encode_array
from mtlbox.datasets.layouts.hashes import Hashes, files_below
from mtlbox.datasets.layouts.states import Sources
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
_SPLITS = f'{FOLDER}/splits'  # those that were written
_IMAGE = 'image'  # folder of the images, beside those of the labels


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
    choice: Mapping[str, Sequence] | None = None,
    workers: int = 1,
    quiet: bool = False,
) -> dict[str, int]:
    """Write a data set as arrays below ``root``; return how many samples were written now, per split.

    Called again with the same parameters it writes what is missing or whose source has changed, and removes what has no
    source any more, and says how many. Every file is complete or absent.

    Args:
        source: Folder of the data.
        root: A new or empty folder, or one that an earlier call with the same parameters has begun.
        dataset: Name in :data:`SETS`.
        labels: Which labels; by default all that the data set has, which must all be there.
        subset: Which subset, where the data set has several; by default the one that its class reads.
        choice: Which samples, by the ``CHOICES`` of its class; by default those that it reads.
        workers: Processes.
        quiet: Show no progress bar.

    Raises:
        FileNotFoundError: ``source`` or a file in it is missing, or a split that an earlier call has converted.
        FileExistsError: ``root`` holds something else.
        OSError: The disk is too small.
        ValueError: ``dataset``, a label, the subset or a choice is unknown, the data set is arrays already, the layout
            cannot be told, or a file is damaged.
    """
    if dataset not in SETS:
        raise ValueError(why_not(dataset, SETS))
    name = SETS[dataset]
    labels = list(KNOWN[name][1]) if labels is None else labels
    parts = parts_of(name, source, labels=labels, subset=subset, choice=choice)
    with silent():
        written, removed = _convert(dataset, parts, Path(source), Path(root), workers=workers, quiet=quiet)
        build.cache_clear()
    if removed:
        print_log(f'{root}: {removed} removed, since {source} has them no longer.', 'current')
    return written


def _convert(
    dataset: str, parts: Sequence[Part], source: Path, root: Path, *, workers: int, quiet: bool
) -> tuple[dict[str, int], int]:
    """Return how many samples were written now, per split, and how many were removed."""
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
        **dict(first.choice),
    }
    claim(root, MARKER, parameters)
    _refuse_absent(root, (part.split for part in splits), source)
    hashes = Hashes(root)
    lists = {path.relative_to(source).as_posix(): path for one in splits.values() for path in one.list_files()}
    hashes.forget([REPLICA_MARKER, *lists])
    if data.metainfo['replica']:
        write_json(root / REPLICA_MARKER, {'content': 'rendered rooms, converted', **parameters})
    write_text(root / UNFINISHED_MARKER, f'The same command goes on: {_command(dataset, first, root)}\n')
    missing, removed = find_missing(splits, root)
    count = sum(map(len, missing.values()))
    if count:
        size = sum(len(encode_file(path, array)) for path, array in _encode(next(_jobs(missing, root))).items())
        require_space(root, count * size)
    hashes.forget(path for job in _jobs(missing, root) for path in _files_of(splits[job.part], job.index).values())
    hashes.note(
        stream_jobs(
            _convert_one, _jobs(missing, root), count=count, workers=workers, description=str(root), quiet=quiet
        )
    )
    for name, path in lists.items():
        write_text(root / name, path.read_text(encoding='utf-8'))
    (root / UNFINISHED_MARKER).unlink()
    hashes.finish()
    return {part.split: len(numbers) for part, numbers in missing.items()}, removed


def _command(dataset: str, part: Part, root: Path) -> str:
    """Return the command that converts what ``part`` is a split of."""
    every = tuple(KNOWN[part.dataset][1])
    options: dict[str, Iterable] = {
        'labels': () if part.labels in (None, every) else part.labels or (),
        'subset': () if part.subset is None else (part.subset,),
        **dict(part.choice),
    }
    words = ['tools/data.py', 'convert', dataset, part.root, str(root)]
    for key, values in options.items():
        words += [f'--{key}', *map(str, values)] if values else []
    return shlex.join(words)


def _refuse_absent(root: Path, splits: Iterable[str], source: Path) -> None:
    """Raise FileNotFoundError where an earlier run wrote a split that is not among ``splits``; note these else."""
    path, found = root / _SPLITS, list(splits)
    before = path.read_text(encoding='utf-8').split() if path.is_file() else []
    absent = [split for split in before if split not in found]
    if absent:
        raise FileNotFoundError(
            f'{source} has no split {", ".join(absent)} any more, of which {root} holds arrays; none was removed. '
            f'Bring it back, name another folder, or delete {path} to let its arrays go.'
        )
    path.parent.mkdir(exist_ok=True)
    write_text(path, '\n'.join(found) + '\n')


def _jobs(missing: Mapping[Part, Sequence[int]], root: Path) -> Iterator[_Job]:
    return (_Job(part, number, root) for part, numbers in missing.items() for number in numbers)


def _is_there(part: Part) -> bool:
    """Return whether a split that may be missing is there; damage to it is an error."""
    try:
        build(part)
    except FileNotFoundError:
        return False
    return True


def why_not(dataset: str, known: Iterable[str]) -> str:
    """Say why nothing is converted to a name that is not among those that are ``known``, and to which of them."""
    if dataset in REFUSED:
        return (
            f'{REFUSED[dataset]} is NumPy files already, one per map, with pictures that 8 bits do not hold exactly. '
            f'Arrays are made of {", ".join(SETS.values())}.'
        )
    return f'Nothing is converted to {dataset!r}.{did_you_mean(dataset, known)}'


def find_missing(splits: Mapping[Part, ListedDataset], root: Path) -> tuple[dict[Part, array], int]:
    """Return the numbers of the samples that are not there yet, and how many were removed, whose source has gone.

    Each is there once though several splits may have it. What is there of a source that has changed or gone since is
    removed, and what the sources are now is written down.
    """
    sources, missing, removed = Sources(root), {}, 0
    for part, data in splits.items():
        missing[part] = array('I')
        for index in range(len(data)):
            files = _files_of(data, index)
            paths = [root / path for path in files.values()]
            stamp = Stamp(data.files_of(data.get_data_info(index)), part.root)
            if sources.is_open(files[_IMAGE], paths, stamp, lambda paths=paths: all(map(_is_whole, paths))):
                missing[part].append(index)
        sources.end_split()
    if sources.lack_some():
        for name in files_below(root):
            sample = f'{_IMAGE}/{name.partition("/")[2]}'  # the folder is that of the image or of a label
            if name.endswith('.npy') and sample not in sources:
                (root / name).unlink()
                removed += name == sample
    sources.write()
    return missing, removed


def _files_of(data: ListedDataset, index: int) -> dict[str, str]:
    """Return the file of each label of a sample below the root, and that of the image under :data:`_IMAGE`."""
    files = Files.of(data.arrays(), data.label_names.values(), '', data.split)
    info = files.describe(data.get_data_info(index)['sample_id'], {})
    return {_IMAGE: info['img_path'], **info['label_paths']}


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
    return {files[key]: encode_array(array) for key, array in {_IMAGE: image, **maps}.items()}


def _convert_one(job: _Job) -> dict[Path, str]:
    """Convert one sample; return the hashes of its files."""
    return write_files(job.root, _encode(job))
