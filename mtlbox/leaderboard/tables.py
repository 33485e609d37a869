"""Tables of rows that can be compared: one data set, setting and protocol each, in sections of one backbone."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mtlbox.evaluation.delta_m import Baseline, list_baselines, load_baseline
from mtlbox.evaluation.functional.delta_m import delta_m
from mtlbox.leaderboard.names import canonical_backbone, canonical_dataset, known_datasets, known_scores
from mtlbox.leaderboard.rows import UNSTATED, Number, Row, paper_of
from mtlbox.registry import did_you_mean

SIZES = {'params': 'Parameters in millions', 'macs': 'Multiply-accumulates for one image, 1e9'}
"""What a network costs, beside its scores; lower is better."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row in its table.

    Attributes:
        row: The row; sources of equal rows are joined.
        delta_m: Multi-task gain in percent, recomputed from the row's scores and the section's baseline.
        delta_m_std: Its standard deviation over seeds (of a sample, n - 1); None where it is not known.
        marks: 1 for the best and 2 for the second best value of the section, by column.
        notes: What a reader must know, one sentence or more each.
    """

    row: Row
    delta_m: float | None
    delta_m_std: float | None = None
    marks: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def value(self, column: str) -> float | None:
        """Value in a column: a score, 'delta_m' (recomputed, else as printed), 'params' or 'macs'."""
        if column == 'delta_m':
            return self.row.delta_m if self.delta_m is None else self.delta_m
        return getattr(self.row, column) if column in SIZES else self.row.scores.get(column)


@dataclass(frozen=True, kw_only=True)
class Section:
    """The rows of one backbone.

    Attributes:
        backbone: The backbone.
        baseline: What delta_m is recomputed against; None where there is none.
        lines: The rows.
    """

    backbone: str
    baseline: Baseline | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of one data set, setting or study, and protocol.

    Attributes:
        dataset: The data set.
        setting: As in ``Row``.
        study: As in ``Row``.
        columns: The scores.
        protocols: Protocol of each task.
        sections: The rows, by backbone.
    """

    dataset: str
    setting: str
    study: str
    columns: tuple[str, ...]
    protocols: dict[str, str]
    sections: tuple[Section, ...]

    @property
    def dataset_title(self) -> str:
        """The data set in words."""
        return known_datasets().get(self.dataset, self.dataset)

    @property
    def title(self) -> str:
        """The tasks, and what sets the table apart."""
        return ': '.join(filter(None, (', '.join(self.protocols), self.setting or self.study)))

    @property
    def protocol(self) -> str:
        """The protocols as text, 'semseg: pooled-absent-zero, ...'."""
        return ', '.join(f'{task}: {name}' for task, name in self.protocols.items())

    @property
    def sizes(self) -> list[str]:
        """Which of 'params' and 'macs' a row has."""
        lines = [line for section in self.sections for line in section.lines]
        return [size for size in SIZES if any(line.value(size) is not None for line in lines)]

    @property
    def has_delta_m(self) -> bool:
        """Whether a row has a multi-task gain."""
        return any(line.value('delta_m') is not None for section in self.sections for line in section.lines)


def build_tables(
    rows: Iterable[Row],
    *,
    dataset: str | None = None,
    backbone: str | None = None,
    sort: str | None = None,
    baseline: str | None = None,
    studies: bool = True,
) -> list[Table]:
    """Arrange rows in tables.

    Args:
        rows: Published rows and ours. A run of ours enters every table whose scores and protocols it has.
        dataset: Only this data set, by any of its names.
        backbone: Only this backbone.
        sort: Column to sort by: a score such as 'depth/rmse', 'delta_m', 'params', 'macs' or 'method'. Rows without a
            value come last. By default the order of the sources, runs of ours behind them.
        baseline: Baseline that delta_m is recomputed against where it fits; the shipped one of the same data
            set, backbone and protocols if not given.
        studies: Whether ablations are shown.

    Returns:
        Tables in the order of the rows, ablations last within a data set.

    Raises:
        ValueError: Nothing is of this data set or backbone, ``sort`` is no column, or ``baseline`` fits nowhere.
        FileNotFoundError: There is no such baseline.
    """
    kept = _select(list(rows), dataset, backbone)
    named = load_baseline(baseline) if baseline is not None else None
    groups: dict[tuple, list[Row]] = {}
    for row in kept:
        if not row.ours and (studies or not row.study):
            groups.setdefault(_key(row), []).append(row)
    for row in kept:
        if row.ours:
            fitting = [group for group in groups.values() if _fits(row, group[0])]
            for group in fitting:
                group.append(replace(row, columns=group[0].columns))
            if not fitting:
                groups.setdefault(_key(row), []).append(row)
    _check_sort(sort, [group[0] for group in groups.values()])
    tables = [_table(group, sort, named) for group in groups.values()]
    if named is not None and not any(s.baseline == named for table in tables for s in table.sections):
        raise ValueError(
            f'the baseline {named.name!r} is of {named.dataset}, {named.backbone} and '
            f'{named.protocols}: no table has these'
        )
    first = {key: place for place, key in reversed(list(enumerate(table.dataset for table in tables)))}
    return sorted(tables, key=lambda table: (first[table.dataset], bool(table.study)))


def _select(rows: list[Row], dataset: str | None, backbone: str | None) -> list[Row]:
    for what, wanted, name in (('dataset', dataset, canonical_dataset), ('backbone', backbone, canonical_backbone)):
        if wanted is not None:
            known = {getattr(row, what) for row in rows}
            rows = [row for row in rows if getattr(row, what) == name(wanted)]
            if not rows:
                both = f' on {canonical_dataset(dataset)}' if what == 'backbone' and dataset else ''
                raise ValueError(f'no row has the {what} {wanted!r}{both}.{did_you_mean(wanted, known)}')
    return rows


def _key(row: Row) -> tuple:
    """What the rows of a table share; rows of a protocol that is not stated are compared within their paper only."""
    protocols = tuple(sorted(row.protocols.items()))
    paper = paper_of(row.source) if UNSTATED in row.protocols.values() else ''
    return row.dataset, row.setting, row.study, row.columns, protocols, paper


def _fits(run: Row, row: Row) -> bool:
    """Whether a run of ours can stand beside ``row``: same data, setting and protocols, its scores, be they null."""
    return (
        (run.dataset, run.setting, run.study) == (row.dataset, row.setting, row.study)
        and bool(row.columns)
        and run.protocols == row.protocols
        and set(row.columns) <= {*run.scores, *run.missing}
    )


def _table(rows: Sequence[Row], sort: str | None, named: Baseline | None) -> Table:
    head = rows[0]
    by_backbone: dict[str, list[Row]] = {}
    for row in rows:
        by_backbone.setdefault(row.backbone, []).append(row)
    sections = []
    for backbone, members in by_backbone.items():
        baseline = _baseline_of(head, backbone, named)
        lines = _marked([_line(row, baseline) for row in _merged(members)], head.columns)
        sections.append(Section(backbone=backbone, baseline=baseline, lines=tuple(_sorted(lines, sort))))
    return Table(
        dataset=head.dataset,
        setting=head.setting,
        study=head.study,
        columns=head.columns,
        protocols={task: head.protocols[task] for task in _tasks(head.columns) or head.protocols},
        sections=tuple(sections),
    )


def _baseline_of(head: Row, backbone: str, named: Baseline | None) -> Baseline | None:
    """The baseline of a section: the named one if it fits, else the shipped one, else None."""
    wanted = {task: head.protocols[task] for task in _tasks(head.columns)}
    if not head.columns or UNSTATED in (backbone, *wanted.values()):
        return None
    for baseline in ([named] if named else []) + list(map(load_baseline, list_baselines())):
        of = (canonical_dataset(baseline.dataset), baseline.setting, canonical_backbone(baseline.backbone))
        scores = {f'{task}/{name}' for task, values in baseline.scores.items() for name in values}
        has_all = all(baseline.protocols.get(task) == protocol for task, protocol in wanted.items())
        is_whole = baseline is named or set(baseline.protocols) == set(wanted)
        if of == (head.dataset, head.setting, backbone) and has_all and is_whole and set(head.columns) <= scores:
            return baseline
    return None


def _tasks(columns: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(column.partition('/')[0] for column in columns))


def _merged(rows: Iterable[Row]) -> list[Row]:
    """Rows with the equal ones of several sources made one."""
    found: list[Row] = []
    for row in rows:
        for place, other in enumerate(found):
            same = (row.method, row.variant, row.scores) == (other.method, other.variant, other.scores)
            if same and row.scores and not row.ours and not other.ours:
                found[place] = _joined(other, row)
                break
        else:
            found.append(row)
    return found


def _joined(one: Row, other: Row) -> Row:
    """``one`` with what ``other`` knows beside it."""
    return replace(
        one,
        source='; '.join(dict.fromkeys((*one.source.split('; '), other.source))),
        delta_m=other.delta_m if one.delta_m is None else one.delta_m,
        params=other.params if one.params is None else one.params,
        params_counted=other.params_counted if one.params is None else one.params_counted,
        macs=other.macs if one.macs is None else one.macs,
        macs_counted=other.macs_counted if one.macs is None else one.macs_counted,
        baseline=one.baseline or other.baseline,
        note=' '.join(dict.fromkeys(filter(None, (one.note, other.note)))),
        source_notes=tuple(dict.fromkeys((*one.source_notes, *other.source_notes))),
    )


def _line(row: Row, baseline: Baseline | None) -> Line:
    gain = _gain(row, baseline)
    notes = tuple(filter(None, (row.note, _disagreement(row, baseline, gain))))
    return Line(row=row, delta_m=gain, delta_m_std=_deviation(row, baseline, gain), notes=notes)


def _gain(row: Row, baseline: Baseline | None) -> float | None:
    """delta_m of ``row``; None for the baseline's own row, and where a score is missing."""
    if baseline is None or row.baseline == baseline.name or not set(row.columns) <= set(row.scores):
        return None
    return _delta_m(row.scores, row.columns, baseline)


def _deviation(row: Row, baseline: Baseline | None, gain: float | None) -> float | None:
    """Deviation of delta_m over the seeds of ``row``; None where not every seed's scores are known."""
    seeds = row.seed_scores
    if baseline is None or gain is None or len(seeds) < 2 or len(seeds) != row.runs:
        return None
    if not all(set(row.columns) <= set(scores) for scores in seeds):
        return None
    return statistics.stdev(_delta_m(scores, row.columns, baseline) for scores in seeds)


def _delta_m(scores: Mapping[str, float], columns: Iterable[str], baseline: Baseline) -> float:
    columns = list(columns)
    return delta_m(
        {column: scores[column] for column in columns},
        _scores_of(baseline, columns),
        {column: known_scores()[column].higher_is_better for column in columns},
    )


def _scores_of(baseline: Baseline, columns: Iterable[str]) -> dict[str, float]:
    return {column: baseline.scores[column.partition('/')[0]][column.partition('/')[2]] for column in columns}


def _disagreement(row: Row, baseline: Baseline | None, gain: float | None) -> str:
    """Say so where the printed delta_m differs from the recomputed one by more than the printed digits explain."""
    if gain is None or baseline is None or row.delta_m is None or abs(gain - row.delta_m) <= rounding(row, baseline):
        return ''
    return (
        f'Printed delta_m {row.delta_m:+.2f}, recomputed {gain:+.2f}: more than rounding explains '
        f'(at most {rounding(row, baseline):.2f}).'
    )


def rounding(row: Row, baseline: Baseline) -> float:
    """How far the printed delta_m of ``row`` and the recomputed one can differ by the rounding of what is printed."""
    base = _scores_of(baseline, row.columns)
    total = sum(
        _half_unit(row.scores[c]) / base[c] + abs(row.scores[c]) * _half_unit(base[c]) / base[c] ** 2
        for c in row.columns
    )
    return 100 * total / len(row.columns) + (_half_unit(row.delta_m) if row.delta_m is not None else 0.0)


def _half_unit(value: float) -> float:
    return value.half_unit if isinstance(value, Number) else 0.0


def _marked(lines: Sequence[Line], columns: Sequence[str]) -> list[Line]:
    """``lines`` with the best of each column marked where there are two values at least, the second best of three."""
    marks: list[dict[str, int]] = [{} for _ in lines]
    for column in (*columns, 'delta_m'):
        higher = column == 'delta_m' or known_scores()[column].higher_is_better
        values = [line.delta_m if column == 'delta_m' else line.value(column) for line in lines]
        distinct = sorted({float(value) for value in values if value is not None}, reverse=higher)
        if sum(value is not None for value in values) < 2 or len(distinct) < 2:
            continue
        ranks = {distinct[0]: 1} | ({distinct[1]: 2} if len(distinct) > 2 else {})
        for mark, value in zip(marks, values):
            if value is not None and float(value) in ranks:
                mark[column] = ranks[float(value)]
    return [replace(line, marks=mark) for line, mark in zip(lines, marks)]


def _sorted(lines: list[Line], sort: str | None) -> list[Line]:
    if sort is None:
        return lines
    if sort == 'method':
        return sorted(lines, key=lambda line: line.row.name.lower())
    sign = -1 if sort == 'delta_m' or (sort not in SIZES and known_scores()[sort].higher_is_better) else 1
    values = [(line.value(sort), line) for line in lines if line.value(sort) is not None]
    ranked = [line for value, line in sorted(values, key=lambda pair: sign * (pair[0] or 0.0))]
    return ranked + [line for line in lines if line.value(sort) is None]


def _check_sort(sort: str | None, rows: Iterable[Row]) -> None:
    """Refuse a column that no table has."""
    known = ['method', 'delta_m', *SIZES, *dict.fromkeys(column for row in rows for column in row.columns)]
    if sort is not None and sort not in known:
        raise ValueError(f'no table has a column {sort!r}.{did_you_mean(sort, known)}')


def sources_of(table: Table) -> dict[str, str]:
    """The table's sources, and what must be known of all rows of each, '' for nothing."""
    found: dict[str, str] = {}
    for row in (line.row for section in table.sections for line in section.lines):
        notes = dict(note.split(': ', 1) for note in row.source_notes)
        found.update({source: notes.get(source, '') for source in row.source.split('; ') if source not in found})
    return found
