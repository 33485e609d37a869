"""Reading a whole data set once, to say what is wrong with it before a training does."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import MMLogger

from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.datasets.layouts import LAYOUTS, SEVERAL
from mtlbox.datasets.layouts.writing import run_jobs
from mtlbox.registry import did_you_mean

KNOWN: dict[str, tuple[type[MultiTaskDataset], Mapping[str, dict], Mapping[str, Any]]] = {
    **{name: (layout.dataset, layout.tasks, layout.options) for name, layout in LAYOUTS.items()},
    **{name: (LAYOUTS[one].dataset, LAYOUTS[one].tasks, {}) for name, one in SEVERAL.items()},
}
"""Data sets that can be verified: class, a task per label, and what else its constructor is given."""

_NEEDED = ('train', 'val')
_SHOWN = 20  # problems that are printed


@dataclass
class LabelReport:
    """What was seen of one kind of label in one split.

    Attributes:
        labelled: Samples with a labelled pixel.
        low, high: Extremes of the labelled pixels.
    """

    labelled: int = 0
    low: float | None = None
    high: float | None = None

    def add(self, low: float, high: float) -> None:
        """Count one sample."""
        self.labelled += 1
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)


@dataclass
class SplitReport:
    """What was seen of one split.

    Attributes:
        samples: How many are listed.
        published: How many the published split has; None where that is not published.
        sizes: ``{'HxW': samples}`` of the pictures.
        labels: By label.
    """

    samples: int
    published: int | None
    sizes: dict[str, int] = field(default_factory=dict)
    labels: dict[str, LabelReport] = field(default_factory=dict)


@dataclass
class Report:
    """The verdict on a data set.

    Attributes:
        dataset: Its name.
        root: Its folder.
        layout: Name of the layout that was seen; None where it could not be told.
        replica: Whether it is a replica.
        splits: By name.
        problems: One message per sample that cannot be read, and per split that cannot be listed.
        doubts: What can be read but looks wrong.
    """

    dataset: str
    root: str
    layout: str | None = None
    replica: bool = False
    splits: dict[str, SplitReport] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether there is neither a problem nor a doubt."""
        return not self.problems and not self.doubts

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values, with ``good``."""
        return {'good': self.good, **asdict(self)}

    def __str__(self) -> str:
        kind = 'a replica: rendered rooms' if self.replica else 'not a replica'
        lines = [f'{self.root}: {self.dataset}, layout {self.layout or "unknown"}, {kind}']
        rows = [('split', 'label', 'labelled', 'lowest', 'highest')]
        for name, split in self.splits.items():
            sizes = ', '.join(f'{size} ({n})' for size, n in Counter(split.sizes).most_common(3))
            more = f' and {len(split.sizes) - 3} other sizes' if len(split.sizes) > 3 else ''
            lines.append(
                f'{name}: {split.samples} samples (published: {split.published or "not stated"}); '
                f'{sizes or "none read"}{more}'
            )
            for label, seen in split.labels.items():
                span = ('-', '-') if seen.low is None else (f'{seen.low:.4g}', f'{seen.high:.4g}')
                rows.append((name, label, str(seen.labelled), *span))
        if len(rows) > 1:
            widths = [max(map(len, column)) for column in zip(*rows)]
            lines += ['  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        for title, messages in (('problem', self.problems), ('doubt', self.doubts)):
            lines += [f'{title}: {message}' for message in messages[:_SHOWN]]
            if len(messages) > _SHOWN:
                lines.append(f'{title}: ... and {len(messages) - _SHOWN} more')
        lines.append('good' if self.good else f'{len(self.problems)} problems, {len(self.doubts)} doubts')
        return '\n'.join(lines)


def verify(dataset: str, root: str | Path, *, workers: int = 1, quiet: bool = False) -> Report:
    """Read every sample of a data set with all its labels.

    Args:
        dataset: A name in :data:`KNOWN`; ``'nyud'`` takes any of its layouts, ``'nyud-b'`` only that one.
        root: Its folder.
        workers: Processes.
        quiet: Show no progress bar.

    Raises:
        ValueError: The name is unknown.
    """
    if dataset not in KNOWN:
        raise ValueError(f'{dataset!r} cannot be verified.{did_you_mean(dataset, KNOWN)}')
    report = Report(dataset, str(root))
    with _silent():
        for split in KNOWN[dataset][0].METAINFO['sizes']:
            try:
                built = _build(dataset, str(root), split)
            except (OSError, ValueError) as error:
                if split in _NEEDED or not isinstance(error, FileNotFoundError):
                    report.problems.append(f'{split}: {str(error).splitlines()[0]}')
                continue
            _read_split(report, built, split, workers=workers, quiet=quiet)
        _build.cache_clear()
    return report


def _read_split(report: Report, dataset: MultiTaskDataset, split: str, *, workers: int, quiet: bool) -> None:
    meta = dataset.metainfo
    published = meta['sizes'][split]
    seen = SplitReport(len(dataset), published, labels={key: LabelReport() for key in dataset.tasks})
    report.layout, report.replica = meta.get('layout', report.dataset), meta['replica']
    report.splits[split] = seen
    if not report.replica and published is not None and len(dataset) != published:
        report.doubts.append(f'{split}: {len(dataset)} samples, but the published split has {published}')
    jobs = [(report.dataset, report.root, split, index) for index in range(len(dataset))]
    for problem, doubts, size, ranges in run_jobs(_read_one, jobs, workers=workers, description=split, quiet=quiet):
        report.problems += [problem] if problem else []
        report.doubts += doubts
        if size:
            seen.sizes[size] = seen.sizes.get(size, 0) + 1
        for key, (low, high) in ranges.items():
            seen.labels[key].add(low, high)


def _read_one(job: tuple[str, str, str, int]) -> tuple[str, list[str], str, dict[str, tuple[float, float]]]:
    """Return what is wrong with a sample, what looks wrong, its size, and the range of each of its labels."""
    *where, index = job
    dataset = _build(*where)
    try:
        sample = dataset.load_sample(index)
    except (OSError, ValueError) as error:
        return str(error), [], '', {}
    doubts, ranges = [], {}
    for key, gt in sample['gt'].items():
        task = dataset.tasks[key]
        packed = task.pack(gt)
        values = packed[:, task.valid(packed[None])[0]]
        if values.numel():
            ranges[key] = (float(values.min()), float(values.max()))
        doubt = task.doubt(gt)
        if doubt:
            doubts.append(f'{sample["label_paths"][dataset.label_names[key]]}: {doubt}')
    return '', doubts, 'x'.join(map(str, np.shape(sample['img'])[:2])), ranges


@lru_cache(maxsize=2)
def _build(name: str, root: str, split: str) -> MultiTaskDataset:
    """Build a data set that lists what is missing as it lists the rest."""
    cls, tasks, options = KNOWN[name]
    options = {'check': False, 'allow_missing': True, **options}
    return cls(data_root=root, split=split, tasks=tasks, **options)


@contextmanager
def _silent() -> Iterator[None]:
    """Let the log say errors only: what the data sets say at their start is in the report."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
