"""Replicas: rendered rooms in the layout of a real data set, for machines that do not have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mtlbox.datasets.layouts import LAYOUTS
from mtlbox.datasets.layouts.writing import (
    claim,
    encode_file,
    is_written,
    require_space,
    run_jobs,
    write_files,
    write_text,
)
from mtlbox.datasets.messages import REPLICA_MARKER
from mtlbox.datasets.rooms import render_room
from mtlbox.registry import did_you_mean


@dataclass(frozen=True)
class _Job:
    dataset: str
    root: Path
    split: str
    index: int
    size: tuple[int, int]


def write_replica(
    dataset: str,
    root: str | Path,
    *,
    counts: Mapping[str, int] | None = None,
    size: tuple[int, int] | None = None,
    workers: int = 1,
    quiet: bool = False,
) -> dict[str, int]:
    """Write rooms in the layout of ``dataset`` below ``root``.

    Called again with the same parameters it writes what is missing. Every file is complete or absent.

    Args:
        dataset: Name in :data:`~mtlbox.datasets.layouts.LAYOUTS`.
        root: A new or empty folder, or one that an earlier call with the same parameters has begun.
        counts: Samples per split; by default as many as the real data set has.
        size: (H, W); by default that of the real data set.
        workers: Processes.
        quiet: Show no progress bar.

    Returns:
        How many samples were written now, per split.

    Raises:
        ValueError: The data set is unknown, or the size or a count is not positive.
        FileExistsError: ``root`` holds something else.
        OSError: The disk is too small.
    """
    if dataset not in LAYOUTS:
        raise ValueError(f'There is no layout {dataset!r}.{did_you_mean(dataset, LAYOUTS)}')
    layout, root = LAYOUTS[dataset], Path(root)
    counts = {split: (counts or {}).get(split, default) for split, default in layout.counts.items()}
    size = size or layout.size
    if min(counts.values()) < 1 or min(size) < 1:
        raise ValueError(f'Counts and size must be positive, but are {counts} and {tuple(size)}.')
    claim(root, REPLICA_MARKER, {'content': 'rendered rooms', 'dataset': dataset, 'counts': counts, 'size': list(size)})
    example = layout.encode_room(render_room('train', 0, size))
    jobs = [
        _Job(dataset, root, split, index, size)
        for split, count in counts.items()
        for index in range(count)
        if not is_written(root, example, **layout.fields(split, index))
    ]
    require_space(root, len(jobs) * sum(len(encode_file(path, content)) for path, content in example.items()))
    run_jobs(_write_room, jobs, workers=workers, description=str(root), quiet=quiet)
    for path, text in layout.lists(counts).items():
        write_text(root / path, text)
    return {split: sum(job.split == split for job in jobs) for split in counts}


def _write_room(job: _Job) -> None:
    layout = LAYOUTS[job.dataset]
    files = layout.encode_room(render_room(job.split, job.index, job.size))
    write_files(job.root, files, **layout.fields(job.split, job.index))
