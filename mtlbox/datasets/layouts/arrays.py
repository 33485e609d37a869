"""Converting any data set with lists of names, in whatever layout, to the arrays of :mod:`mtlbox.datasets.arrays`.

Everything that a label needs is done once: pictures and MATLAB files are decoded, parts merged, boundaries computed and
thinned, maps of another size brought to that of their picture. What is written is what the data set reads, exact but
for vectors, which are rounded to 16 bits. The data set recognises the result like any of its layouts, so that a config
needs no change but the folder; a replica stays a replica.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtlbox.datasets import npy
from mtlbox.datasets.arrays import ARRAYS, encode_array
from mtlbox.datasets.layouts.hashes import Hashes
from mtlbox.datasets.layouts.writing import MARKER, claim, stream_jobs, write_files, write_json, write_text
from mtlbox.datasets.listed import ListedDataset, ScannedDataset
from mtlbox.datasets.messages import REPLICA_MARKER
from mtlbox.datasets.verify import KNOWN, Part, build, silent
from mtlbox.registry import did_you_mean

SETS = {
    f'{name}-{ARRAYS}': name
    for name, (cls, _, options) in KNOWN.items()
    if issubclass(cls, ListedDataset) and not issubclass(cls, ScannedDataset) and not options
}
"""What can be made: name of the result, and name of the data set."""


@dataclass(frozen=True)
class _Job:
    dataset: str
    source: str
    split: str
    index: int
    sample: str
    labels: tuple[str, ...]
    root: Path

    @property
    def files(self) -> dict[str, Path]:
        """The file of each label, and that of the image under ``'image'``."""
        return {key: self.root / key / f'{self.sample}.npy' for key in ('image', *self.labels)}


def convert(
    source: str | Path,
    root: str | Path,
    *,
    dataset: str,
    labels: Sequence[str] | None = None,
    workers: int = 1,
    quiet: bool = False,
) -> dict[str, int]:
    """Write a data set as arrays below ``root``; return how many samples were written now, per split.

    Called again with the same parameters it writes what is missing. Every file is complete or absent.

    Args:
        source: Folder of the data.
        root: A new or empty folder, or one that an earlier call with the same parameters has begun.
        dataset: Name in :data:`SETS`.
        labels: Which labels; by default all that the data set has, which must all be there.
        workers: Processes.
        quiet: Show no progress bar.

    Raises:
        FileNotFoundError: ``source`` or a file in it is missing.
        FileExistsError: ``root`` holds something else.
        ValueError: ``dataset`` or a label is unknown, the layout cannot be told, or a file is damaged.
    """
    if dataset not in SETS:
        raise ValueError(f'Nothing is converted to {dataset!r}.{did_you_mean(dataset, SETS)}')
    name, root = SETS[dataset], Path(root)
    cls, tasks, _ = KNOWN[name]
    for label in labels or ():
        if label not in tasks:
            raise ValueError(f'{name} has no label {label!r}.{did_you_mean(label, tasks)}')
    wanted = tuple(label for label in tasks if labels is None or label in labels)
    splits = {}
    with silent():
        for split in cls.METAINFO['sizes']:
            try:
                splits[split] = build(Part(name, str(source), split, wanted), check=True, allow_missing=False)
            except FileNotFoundError:
                if split in ('train', 'val'):
                    raise
    meta = splits['train'].metainfo
    if meta['layout'] == ARRAYS:
        raise ValueError(f'{source} holds arrays already.')
    parameters = {
        'content': 'arrays',
        'dataset': name,
        'source': str(Path(source).resolve()),
        'layout': meta['layout'],
        'labels': list(wanted),
    }
    claim(root, MARKER, parameters)
    if meta['replica']:
        write_json(root / REPLICA_MARKER, {'content': 'rendered rooms, converted', **parameters})
    names = {
        split: [str(info['sample_id']) for info in map(data.get_data_info, range(len(data)))]
        for split, data in splits.items()
    }
    every: dict[str, _Job] = {}
    for split, members in names.items():
        for index, sample in enumerate(members):
            every.setdefault(sample, _Job(name, str(source), split, index, sample, wanted, root))
    jobs = [job for job in every.values() if not all(map(_is_whole, job.files.values()))]
    hashes = Hashes(root)
    hashes.note(stream_jobs(_convert_one, jobs, workers=workers, description=str(root), quiet=quiet))
    for split, members in names.items():
        write_text(root / cls.LISTS.format(split=split), ''.join(f'{sample}\n' for sample in members))
    hashes.finish()
    build.cache_clear()
    return {split: sum(job.split == split for job in jobs) for split in splits}


def _is_whole(path: Path) -> bool:
    try:
        npy.read_header(path)
    except (FileNotFoundError, ValueError):
        return False
    return True


def _convert_one(job: _Job) -> dict[Path, str]:
    """Convert one sample; return the hashes of its files."""
    data = build(Part(job.dataset, job.source, job.split, job.labels), allow_missing=False)
    sample = data.load_sample(job.index)
    image = sample['img']
    if image.dtype != np.uint8:
        raise ValueError(f'{sample["img_path"]}: an image of 8 bits is expected, but it has type {image.dtype}.')
    maps = {label: sample['gt'].get(label) for label in job.labels}
    arrays = {label: data.tasks[label].empty(image.shape[:2]) if gt is None else gt for label, gt in maps.items()}
    files = {f'{key}/{job.sample}.npy': encode_array(array) for key, array in {'image': image, **arrays}.items()}
    return write_files(job.root, files)
