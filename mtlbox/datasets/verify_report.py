"""What the verification of a data set has to say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

_SHOWN = 20  # problems that are printed


@dataclass
class LabelReport:
    """What was seen of one kind of label in one split.

    Attributes:
        read: Samples whose map could be read.
        labelled: Samples with a labelled pixel.
        low, high: Extremes of the labelled pixels.
        flaw: What its maps may have, e.g. vectors that are not of unit length; '' where there is nothing of the kind.
        flawed: Share of the pixels with it, the mean over the maps.
        looked: Maps that were looked at for it.
    """

    read: int = 0
    labelled: int = 0
    low: float | None = None
    high: float | None = None
    flaw: str = ''
    flawed: float | None = None
    looked: int = 0

    def add(self, span: tuple[float, float] | None) -> None:
        """Count one sample that was read, with the extremes of its labelled pixels, if it has any."""
        self.read += 1
        if span is None:
            return
        low, high = span
        self.labelled += 1
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)

    def add_flawed(self, share: float) -> None:
        """Count the flawed pixels of one map."""
        self.looked += 1
        before = self.flawed or 0.0
        self.flawed = before + (share - before) / self.looked


@dataclass
class SplitReport:
    """What was seen of one split.

    Attributes:
        samples: How many are listed.
        published: How many the published split has; None where that is not known.
        sizes: ``{'HxW': samples}`` of the pictures.
        labels: By label.
        resampled: Maps of another size than their picture, where the layout lets them be brought to its size.
        first_resampled: What the size of the first of these is; '' where there is none.
        kept: Samples that were read before, as those of another split, and that have not changed since.
    """

    samples: int
    published: int | None
    sizes: dict[str, int] = field(default_factory=dict)
    labels: dict[str, LabelReport] = field(default_factory=dict)
    resampled: int = 0
    first_resampled: str = ''
    kept: int = 0

    def add_resampled(self, said: Sequence[str]) -> None:
        """Count maps that were brought to the size of their picture, of each of which its size is ``said``."""
        self.resampled += len(said)
        self.first_resampled = self.first_resampled or next(iter(said), '')

    def doubts(self, name: str) -> list[str]:
        """Return what looks wrong of the split called ``name`` as a whole."""
        doubts = [
            f'{name}: no pixel of {label!r} is labelled, in none of the {seen.read} maps'
            for label, seen in self.labels.items()
            if seen.read and not seen.labelled
        ]
        doubts += [
            f'{name}: {label!r} is {seen.low:g} at every labelled pixel of {seen.labelled} maps'
            for label, seen in self.labels.items()
            if seen.labelled > 1 and seen.low == seen.high
        ]
        if self.resampled:
            maps = '1 map is' if self.resampled == 1 else f'{self.resampled} maps are'
            doubts.append(f'{name}: {maps} of another size, brought to that of their picture: {self.first_resampled}')
        return doubts


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
        rows = [('split', 'label', 'labelled', 'lowest', 'highest', '')]
        for name, split in self.splits.items():
            sizes = ', '.join(f'{size} ({n})' for size, n in Counter(split.sizes).most_common(3))
            more = f' and {len(split.sizes) - 3} other sizes' if len(split.sizes) > 3 else ''
            published = '' if split.published is None else f' (published: {split.published})'
            lines.append(f'{name}: {split.samples} samples{published}; {sizes or "none read"}{more}')
            if split.kept:
                lines[-1] += f'; {split.kept} read before, unchanged since'
            for label, seen in split.labels.items():
                span = ('-', '-') if seen.low is None else (f'{seen.low:.4g}', f'{seen.high:.4g}')
                flaw = '' if seen.flawed is None else f'{seen.flawed:.1%} {seen.flaw}'
                rows.append((name, label, str(seen.labelled), *span, flaw))
        if len(rows) > 1:
            widths = [max(map(len, column)) for column in zip(*rows)]
            lines += ['  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        for title, messages in (('problem', self.problems), ('doubt', self.doubts)):
            lines += [f'{title}: {message}' for message in messages[:_SHOWN]]
            if len(messages) > _SHOWN:
                lines.append(f'{title}: ... and {len(messages) - _SHOWN} more')
        lines.append('good' if self.good else f'{len(self.problems)} problems, {len(self.doubts)} doubts')
        return '\n'.join(lines)
