"""Reading a whole data set once, to say what is wrong with it before a training does."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.logging import MMLogger

from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.datasets.layouts import LAYOUTS, SEVERAL
from mtlbox.datasets.layouts.nyu_official import find_official
from mtlbox.datasets.layouts.writing import stream_jobs
from mtlbox.datasets.verdict import Journal, Stamp
from mtlbox.datasets.verify_report import LabelReport, Report, SplitReport
from mtlbox.registry import did_you_mean

KNOWN: dict[str, tuple[type[MultiTaskDataset], Mapping[str, dict], Mapping[str, Any]]] = {
    **{name: (layout.dataset, layout.tasks, layout.options) for name, layout in LAYOUTS.items()},
    **{name: (LAYOUTS[one].dataset, LAYOUTS[one].tasks, {}) for name, one in SEVERAL.items()},
}
"""Data sets that can be verified: class, a task per label, and what else its constructor is given."""

_NEEDED = ('train', 'val')


class _Found(NamedTuple):
    """What was found out about a sample, as plain values.

    Attributes:
        problems: What cannot be read.
        doubts: What looks wrong.
        size: ``'HxW'`` of the picture; '' where it cannot be read.
        ranges: ``{label: (lowest, highest)}`` of the labelled pixels.
        resampled: Maps that were brought to the size of their picture.
        lasting: Whether it stays true while the files stay the same; a refusal of the system need not.
    """

    problems: list[str]
    doubts: list[str]
    size: str
    ranges: dict[str, tuple[float, float]]
    resampled: int
    lasting: bool


def verify(
    dataset: str,
    root: str | Path,
    *,
    labels: Sequence[str] | None = None,
    workers: int = 1,
    quiet: bool = False,
    again: bool = False,
) -> Report:
    """Read every sample of a data set with its labels.

    What is found is kept (:mod:`mtlbox.datasets.verdict`): a run that was cut off goes on where it was, and later runs
    read only what has changed since. Where nothing is wrong, the look at the files before training is done as well.

    Args:
        dataset: A name in :data:`KNOWN`; ``'nyud'`` takes any of its layouts, ``'nyud-b'`` only that one.
        root: Its folder.
        labels: Which labels are looked at; by default all.
        workers: Processes.
        quiet: Show no progress bar.
        again: Read everything, whatever was found before.

    Raises:
        ValueError: The name or a label is unknown.
    """
    if dataset not in KNOWN:
        raise ValueError(f'{dataset!r} cannot be verified.{did_you_mean(dataset, KNOWN)}')
    for label in labels or ():
        if label not in KNOWN[dataset][1]:
            raise ValueError(f'{dataset} has no label {label!r}.{did_you_mean(label, KNOWN[dataset][1])}')
    wanted = None if labels is None else tuple(sorted(set(labels)))
    report = Report(dataset, str(root))
    with silent():
        for split in KNOWN[dataset][0].METAINFO['sizes']:
            try:
                built = build(dataset, str(root), split, labels=wanted)
            except (OSError, ValueError) as error:
                if split in _NEEDED or not isinstance(error, FileNotFoundError):
                    report.problems.append(f'{split}: {str(error).splitlines()[0]}')
                continue
            _read_split(report, built, split, wanted, workers=workers, quiet=quiet, again=again)
        if not report.splits:
            _say_what_else(report)
        build.cache_clear()
    return report


def recognise(root: str | Path) -> list[str]:
    """Return the names in :data:`KNOWN` whose files ``root`` holds; of several of one class, the most exact one."""
    fitting: list[str] = []
    with silent():
        for name, (cls, _, _) in KNOWN.items():
            if any(KNOWN[other][0] is cls for other in fitting):
                continue
            for split in cls.METAINFO['sizes']:
                try:
                    build(name, str(root), split)
                except (OSError, ValueError):
                    continue
                fitting.append(name)
                break
        build.cache_clear()
    return fitting


def _say_what_else(report: Report) -> None:
    """Name what the folder holds, where it is not the data set that was asked for."""
    official = find_official(Path(report.root))
    if official is not None:
        report.layout = 'official'
        report.problems.append(
            f'{official} is the official file, which trainings do not read: python tools/data.py convert makes '
            'nyud-c or nyuv2-13 of it'
        )
        return
    fitting = [name for name in recognise(report.root) if name != report.dataset]
    if fitting:
        report.problems.append(f'{report.root} looks like {" or ".join(fitting)}')


def _read_split(
    report: Report,
    dataset: MultiTaskDataset,
    split: str,
    wanted: tuple[str, ...] | None,
    *,
    workers: int,
    quiet: bool,
    again: bool,
) -> None:
    meta = dataset.metainfo
    published = meta['sizes'][split]
    seen = SplitReport(len(dataset), published, labels={key: LabelReport() for key in dataset.tasks})
    report.layout, report.replica = meta.get('layout', report.dataset), meta['replica']
    report.splits[split] = seen
    if not report.replica and published is not None and len(dataset) != published:
        report.doubts.append(f'{split}: {len(dataset)} samples, but the published split has {published}')
    journal = Journal(report.root, (type(dataset).__name__, report.layout, *(wanted or ())))
    files = [dataset.files_of(dataset.get_data_info(index)) for index in range(len(dataset))]
    stamps = [Stamp(paths, report.root) for paths in files]
    names = [os.path.relpath(paths[0], report.root) for paths in files]  # a split may hold samples of another one
    if again:
        journal.forget(names)
    entries = [journal.get(name, stamp) for name, stamp in zip(names, stamps)]
    jobs = [(report.dataset, report.root, split, wanted, index) for index, entry in enumerate(entries) if entry is None]
    seen.kept = len(entries) - len(jobs)
    looked = time.time_ns()
    with journal.writing():
        for job, found in zip(jobs, stream_jobs(_read_one, jobs, workers=workers, description=split, quiet=quiet)):
            index = job[-1]
            entries[index] = found
            if found.lasting:
                journal.add(names[index], stamps[index], looked, found)
    before = len(report.problems)
    for problems, doubts, size, ranges, resampled, _ in entries:
        report.problems += problems
        report.doubts += doubts
        if size:
            seen.sizes[size] = seen.sizes.get(size, 0) + 1
        for key, (low, high) in ranges.items():
            seen.labels[key].add(low, high)
        seen.resampled += resampled
    if dataset.ONE_SIZE and len(seen.sizes) > 1:
        sizes = ', '.join(f'{size} ({n})' for size, n in seen.sizes.items())
        report.doubts.append(f'{split}: pictures of one size are expected, but there are {sizes}')
    if len(report.problems) == before:
        _look_at_heads(report, split, wanted)


def _look_at_heads(report: Report, split: str, wanted: tuple[str, ...] | None) -> None:
    """Let the data set look at its files as before training, so that its verdict is there."""
    try:
        build(report.dataset, report.root, split, labels=wanted, check=True, allow_missing=False)
    except (OSError, ValueError) as error:
        report.problems.append(f'{split}: {str(error).splitlines()[0]}')


def _read_one(job: tuple[str, str, str, tuple[str, ...] | None, int]) -> _Found:
    """Read a sample; where it cannot be read whole, one label after the other."""
    *where, wanted, index = job
    dataset = build(*where, labels=wanted)
    found, before = _Found([], [], '', {}, 0, True), getattr(dataset, 'resampled', 0)
    try:
        found = _look_at(dataset, dataset.load_sample(index), found)
        return found._replace(resampled=getattr(dataset, 'resampled', 0) - before)
    except (OSError, ValueError) as error:
        whole = error
    labels = dataset.label_names
    lasting = not isinstance(whole, OSError)
    try:
        for key, name in labels.items():
            dataset.label_names = {key: name}
            try:
                found = _look_at(dataset, dataset.load_sample(index), found)
            except (OSError, ValueError) as error:
                lasting = lasting and not isinstance(error, OSError)
                found.problems.append(str(error))
    finally:
        dataset.label_names = labels
    problems = list(dict.fromkeys(found.problems)) or [str(whole)]
    return found._replace(problems=problems, lasting=lasting)


def _look_at(dataset: MultiTaskDataset, sample: Mapping[str, Any], found: _Found) -> _Found:
    """Add what can be said of a sample that was read."""
    for key, gt in sample['gt'].items():
        task = dataset.tasks[key]
        packed = task.pack(gt)
        values = packed[:, task.valid(packed[None])[0]]
        if values.numel():
            found.ranges[key] = (float(values.min()), float(values.max()))
        doubt = task.doubt(gt)
        if doubt:
            where = (sample.get('label_paths') or {}).get(dataset.label_names.get(key, ''), sample['sample_id'])
            found.doubts.append(f'{where}: {doubt}')
    return found._replace(size='x'.join(map(str, np.shape(sample['img'])[:2])))


@lru_cache(maxsize=2)
def build(
    name: str,
    root: str,
    split: str,
    *,
    labels: tuple[str, ...] | None = None,
    check: bool = False,
    allow_missing: bool = True,
) -> MultiTaskDataset:
    """Build a data set of :data:`KNOWN` and keep it, by default one that lists what is missing as it lists the rest.

    Args:
        name: Its name.
        root: Its folder.
        split: Its split.
        labels: Which labels are read; by default all.
        check: As the data set's.
        allow_missing: As the data set's.
    """
    cls, tasks, options = KNOWN[name]
    tasks = {label: task for label, task in tasks.items() if labels is None or label in labels}
    options = {'check': check, 'serialize_data': False, **options}
    return cls(data_root=root, split=split, tasks=tasks, allow_missing=allow_missing, **options)


@contextmanager
def silent() -> Iterator[None]:
    """Let the log say errors only: what the data sets say at their start is in the report."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
