"""Reading a whole data set once, to say what is wrong with it before a training does."""

from __future__ import annotations

import logging
import os
import re
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.logging import MMLogger

from mtlbox.datasets.arrays import ARRAYS
from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.datasets.layouts import LAYOUTS, SEVERAL
from mtlbox.datasets.layouts.nyu_official import find_official
from mtlbox.datasets.layouts.writing import stream_jobs
from mtlbox.datasets.listed import ListedDataset
from mtlbox.datasets.sources import sizes_said
from mtlbox.datasets.verdict import Journal, Stamp
from mtlbox.datasets.verify_report import LabelReport, Report, SplitReport
from mtlbox.registry import did_you_mean
from mtlbox.tasks.base import Array

_ANY_LAYOUT = {**{name: name for name, layout in LAYOUTS.items() if not layout.options}, **SEVERAL}
KNOWN: dict[str, tuple[type[MultiTaskDataset], Mapping[str, dict], Mapping[str, Any]]] = {
    **{name: (layout.dataset, layout.tasks, layout.options) for name, layout in LAYOUTS.items()},
    **{
        f'{name}-{ARRAYS}': (LAYOUTS[one].dataset, LAYOUTS[one].tasks, {'layout': ARRAYS})
        for name, one in _ANY_LAYOUT.items()
        if issubclass(LAYOUTS[one].dataset, ListedDataset)
    },
    **{name: (LAYOUTS[one].dataset, LAYOUTS[one].tasks, {}) for name, one in SEVERAL.items()},
}
"""Data sets that can be verified: class, a task per label, and what else its constructor is given."""

NEEDED = ('train', 'val')
"""Splits that a data set must have; others may be missing."""


class Part(NamedTuple):
    """What is read of a data set.

    Attributes:
        dataset: Its name in :data:`KNOWN`.
        root: Its folder.
        split: The split.
        labels: Which labels; by default all.
        subset: Which subset, where the data set has several; by default that of its class.
        choice: Of the ``CHOICES`` of its class: those that are made, and the values.
    """

    dataset: str
    root: str
    split: str
    labels: tuple[str, ...] | None = None
    subset: str | None = None
    choice: tuple[tuple[str, tuple], ...] = ()


class _Found(NamedTuple):
    """What was found out about a sample, as plain values.

    Attributes:
        problems: What cannot be read.
        doubts: What looks wrong.
        size: ``'HxW'`` of the picture; '' where it cannot be read.
        ranges: ``{label: (lowest, highest)}`` of the labelled pixels; None where a map that was read has none.
        flawed: ``{label: share}`` as :meth:`~mtlbox.tasks.Task.flawed` gives it.
        resampled: Of each map that was brought to the size of its picture: what its size is.
        lasting: Whether it stays true while the files stay the same; a refusal of the system need not.
        root: What the paths in the messages begin with.
    """

    problems: list[str]
    doubts: list[str]
    size: str
    ranges: dict[str, tuple[float, float] | None]
    flawed: dict[str, float]
    resampled: list[str]
    lasting: bool
    root: str

    def said_at(self, root: str) -> _Found:
        """Return it with messages as they are to be said of a folder that may have been moved since."""
        old, new = (one.rstrip('/') for one in (self.root, root))
        begins = re.compile(rf"(?<![^\s'\"(\[=:,]){re.escape(old)}(?=/)|(?<=data_root='){re.escape(old)}(?=')")
        problems, doubts, resampled = (
            [begins.sub(lambda _: new, said) for said in messages]
            for messages in (self.problems, self.doubts, self.resampled)
        )
        return self._replace(problems=problems, doubts=doubts, resampled=resampled)


def verify(
    dataset: str,
    root: str | Path,
    *,
    labels: Sequence[str] | None = None,
    subset: str | None = None,
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
        subset: Which subset, where the data set has several; by default the one that its class reads.
        workers: Processes.
        quiet: Show no progress bar.
        again: Read everything, whatever was found before.

    Raises:
        ValueError: The name, a label or the subset is unknown.
    """
    if dataset not in KNOWN:
        raise ValueError(f'{dataset!r} cannot be verified.{did_you_mean(dataset, KNOWN)}')
    report = Report(dataset, str(root))
    parts = parts_of(dataset, root, labels=labels, subset=subset)
    if not Path(root).is_dir():
        report.problems.append(f'There is no folder {root}.')
        return report
    with silent():
        for part in parts:
            try:
                built = build(part)
            except (OSError, ValueError) as error:
                if part.split in NEEDED or not isinstance(error, FileNotFoundError):
                    report.problems.append(f'{part.split}: {str(error).splitlines()[0]}')
                continue
            _read_split(report, built, part, workers=workers, quiet=quiet, again=again)
        if not report.splits:
            _say_what_else(report)
        build.cache_clear()
    report.problems, report.doubts = ([*dict.fromkeys(said)] for said in (report.problems, report.doubts))
    return report


def parts_of(
    dataset: str,
    root: str | Path,
    *,
    labels: Sequence[str] | None = None,
    subset: str | None = None,
    choice: Mapping[str, Sequence] | None = None,
) -> list[Part]:
    """Return what is read of a data set of :data:`KNOWN`, split by split.

    Raises:
        ValueError: A label, the subset or a choice is unknown.
    """
    cls, tasks, _ = KNOWN[dataset]
    for label in labels or ():
        if label not in tasks:
            raise ValueError(f'{dataset} has no label {label!r}.{did_you_mean(label, tasks)}')
    if subset is not None and subset not in cls.SUBSETS:
        having = ', '.join(name for name, (other, _, _) in KNOWN.items() if other.SUBSETS)
        near = did_you_mean(subset, cls.SUBSETS) if cls.SUBSETS else f' Subsets have: {having}.'
        raise ValueError(f'{dataset} has no subset {subset!r}.{near}')
    for key in choice or ():
        if key not in cls.CHOICES:
            raise ValueError(f'{dataset} has no choice of {key!r}.{did_you_mean(key, cls.CHOICES)}')
    wanted = None if labels is None else tuple(label for label in tasks if label in labels)
    chosen = tuple((key, _in_order(values, cls.CHOICES[key])) for key, values in sorted((choice or {}).items()))
    return [Part(dataset, str(root), split, wanted, subset, chosen) for split in cls.METAINFO['sizes']]


def _in_order(values: Sequence, known: Sequence) -> tuple:
    """Return values, each once, in the order of those that are known; others, which the class refuses, are the last."""
    return tuple(dict.fromkeys([*(value for value in known if value in values), *values]))


def recognise(root: str | Path) -> list[Part]:
    """Return the first split that ``root`` holds of each data set; of several names of one class, of the most exact."""
    fitting: list[Part] = []
    with silent():
        for name, (cls, _, _) in KNOWN.items():
            if any(KNOWN[other.dataset][0] is cls for other in fitting):
                continue
            parts = (part for subset in cls.SUBSETS or (None,) for part in parts_of(name, root, subset=subset))
            fitting += islice(filter(can_be_built, parts), 1)
        build.cache_clear()
    return fitting


def can_be_built(part: Part) -> bool:
    """Return whether a split is there, whatever of it is missing."""
    try:
        build(part)
    except (OSError, ValueError):
        return False
    return True


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
    fitting = [part.dataset for part in recognise(report.root) if part.dataset != report.dataset]
    if fitting:
        report.problems.append(f'{report.root} looks like {" or ".join(fitting)}')


def _read_split(
    report: Report,
    dataset: MultiTaskDataset,
    part: Part,
    *,
    workers: int,
    quiet: bool,
    again: bool,
) -> None:
    meta, split = dataset.metainfo, part.split
    published = meta['sizes'][split]
    labels = {key: LabelReport(flaw=task.flaw) for key, task in dataset.tasks.items()}
    seen = SplitReport(len(dataset), published, labels=labels)
    report.layout, report.replica = meta.get('layout', report.dataset), meta['replica']
    report.splits[split] = seen
    if not report.replica and published is not None and len(dataset) != published:
        report.doubts.append(f'{split}: {len(dataset)} samples, but the published split has {published}')
    before = len(report.problems)
    report.problems += [f'{path} is missing, though there are labels of it' for path in dataset.missing_pictures()]
    with closing(Journal(report.root, (type(dataset).__name__, report.layout, *(part.labels or ())))) as journal:
        if again:
            journal.forget(_state(dataset, index)[0] for index in range(len(dataset)))
        states = (_state(dataset, index) for index in range(len(dataset)))
        new = np.fromiter((journal.get(*state) is None for state in states), dtype=bool, count=len(dataset))
        seen.kept = len(dataset) - int(new.sum())
        for found in _look_at_all(dataset, part, journal, new, workers=workers, quiet=quiet):
            _add(report, seen, found.said_at(report.root))
    report.doubts += seen.doubts(split)
    if dataset.ONE_SIZE and len(seen.sizes) > 1:
        sizes = ', '.join(f'{size} ({n})' for size, n in seen.sizes.items())
        report.doubts.append(f'{split}: pictures of one size are expected, but there are {sizes}')
    if len(report.problems) == before:
        _look_at_heads(report, part)


def _state(dataset: MultiTaskDataset, index: int) -> tuple[str, Stamp]:
    """Return what the journal calls a sample, and the state of its files."""
    picture, *maps = dataset.files_of(dataset.get_data_info(index))
    name = os.path.relpath(picture, dataset.data_root)  # not the sample's: splits may share files, or only names
    return name, Stamp([picture, *maps], dataset.data_root)


def _look_at_all(
    dataset: MultiTaskDataset, part: Part, journal: Journal, new: Array, *, workers: int, quiet: bool
) -> Iterator[_Found]:
    """Yield what there is to say of each sample in order: read now where it is ``new``, else as it was kept."""
    begun: deque[tuple[str, Stamp, int]] = deque()  # of those that are being read

    def jobs() -> Iterator[tuple[Part, int]]:
        for index in np.flatnonzero(new).tolist():
            begun.append((*_state(dataset, index), time.time_ns()))
            yield part, index

    with journal.writing():
        results = stream_jobs(
            _read_one, jobs(), count=int(new.sum()), workers=workers, description=part.split, quiet=quiet
        )
        for index, is_new in enumerate(new):
            if is_new:
                found = next(results)
                name, stamp, looked = begun.popleft()
                if found.lasting:
                    journal.add(name, stamp, looked, found)
            else:
                found = _Found(*journal.get(_state(dataset, index)[0]))
            yield found
        next(results, None)  # ends its progress bar


def _add(report: Report, seen: SplitReport, found: _Found) -> None:
    """Count a sample."""
    report.problems += found.problems
    report.doubts += found.doubts
    if found.size:
        seen.sizes[found.size] = seen.sizes.get(found.size, 0) + 1
    for key, span in found.ranges.items():
        seen.labels[key].add(span)
    for key, share in found.flawed.items():
        seen.labels[key].add_flawed(share)
    seen.add_resampled(found.resampled)


def _look_at_heads(report: Report, part: Part) -> None:
    """Let the data set look at its files as before training, so that its verdict is there."""
    try:
        build(part, check=True, allow_missing=False)
    except (OSError, ValueError) as error:
        report.problems.append(f'{part.split}: {str(error).splitlines()[0]}')


def _read_one(job: tuple[Part, int]) -> _Found:
    """Read a sample; where it cannot be read whole, one label after the other."""
    part, index = job
    dataset = build(part)
    found = _Found([], [], '', {}, {}, [], True, part.root)
    try:
        return _look_at(dataset, dataset.load_sample(index), found)
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
    found.resampled.extend(sample.get('resampled', ()))
    image = sample['img']
    if (image == image[0, 0]).all():
        found.doubts.append(f'{sample.get("img_path", sample["sample_id"])}: all pixels are {image[0, 0].tolist()}')
    for key, name in dataset.label_names.items():
        task, gt = dataset.tasks[key], sample['gt'].get(key)
        found.ranges[key] = None
        if gt is not None:
            packed = task.pack(gt)
            values = packed[:, task.valid(packed[None])[0]]
            if values.numel():
                found.ranges[key] = (float(values.min()), float(values.max()))
        stored = dataset.load_stored(dict(sample), name)
        seen = gt if stored is None else stored  # a map may be without a label only because of what is wrong with it
        if seen is None:
            continue
        file = (sample.get('label_paths') or {}).get(name, sample['sample_id'])
        said = sizes_said(file, seen.shape, image.shape)
        if seen.shape[:2] != image.shape[:2] and said not in found.resampled:
            found.resampled.append(said)  # reading has brought it to the size of another map
        share = task.flawed(seen)
        if share is not None:
            found.flawed[key] = share
        usual = dataset.METAINFO.get('usual', {}).get(name)
        doubt = task.doubt(seen, usual=usual, lossy=dataset.is_lossy(name))
        if doubt:
            found.doubts.append(f'{file}: {doubt}')
    return found._replace(size='x'.join(map(str, image.shape[:2])))


@lru_cache(maxsize=2)
def build(part: Part, *, check: bool | None = False, allow_missing: bool = True) -> MultiTaskDataset:
    """Build a data set of :data:`KNOWN` and keep it, by default one that lists what is missing as it lists the rest.

    Args:
        part: Which one, and what is read of it.
        check: As the data set's; None for what its class does by itself.
        allow_missing: As the data set's.
    """
    cls, tasks, options = KNOWN[part.dataset]
    tasks = {label: task for label, task in tasks.items() if part.labels is None or label in part.labels}
    given = {'check': check, 'subset': part.subset}
    options = {**options, **{key: value for key, value in given.items() if value is not None}}
    options = {'tasks': tasks, 'allow_missing': allow_missing, 'serialize_data': False, **options, **dict(part.choice)}
    return cls(data_root=part.root, split=part.split, **options)


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
