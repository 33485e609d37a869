"""Tables as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any

from mtlbox.apis.tables import markdown_table
from mtlbox.evaluation.delta_m import HOW_TO_MAKE
from mtlbox.leaderboard.names import known_scores
from mtlbox.leaderboard.rows import UNSTATED, Number, paper_of
from mtlbox.leaderboard.tables import SIZES, Line, Section, Table, sources_of

LEGEND = (
    'The best value of a backbone is **bold**, the second best *italic*. delta_m is recomputed from the scores as they '
    'are printed, against the single-task row that is named beside the table; beside it what the source prints. Params '
    'are in millions, MACs in 1e9 for one image, † counted by us and not printed. Counted MACs are those of our code, '
    'with the products of attention, which most printed ones leave out, and of the cheaper form where a method has an '
    'exact one (CTAL): they do not compare with printed ones. Rows of different protocols are never in one table; '
    '"unstated" is a protocol that the paper does not say, whose rows are compared within that paper only.'
)
_SIZES = {'params': 'params', 'macs': 'MACs'}
_DIGITS = {'%': 2, 'deg': 2}
_LETTERS = [*ascii_lowercase, *(first + second for first in ascii_lowercase for second in ascii_lowercase)]


def heading(column: str) -> str:
    """A column's heading: name, unit and direction."""
    score = known_scores()[column]
    unit = f' ({score.unit})' if score.unit else ''
    return f'{column}{unit} {"↑" if score.higher_is_better else "↓"}'


def shown(line: Line, column: str) -> str:
    """A value as text: a published one as it is printed, ours with the usual digits and the deviation over seeds."""
    value = line.value(column)
    if value is None:
        return ''
    if column == 'delta_m':
        return f'{value:+.2f}' + ('' if line.delta_m_std is None else f' ± {line.delta_m_std:.2f}')
    if column in SIZES:
        counted = '†' if getattr(line.row, f'{column}_counted') else ''
        return (value.text if isinstance(value, Number) else f'{value:.4g}') + counted
    if isinstance(value, Number):
        return value.text
    digits = _DIGITS.get(known_scores()[column].unit, 4)
    deviation = f' ± {line.row.std[column]:.{digits}f}' if column in line.row.std else ''
    return f'{value:.{digits}f}{deviation}'


def reference(section: Section, table: Table) -> str:
    """One sentence on what delta_m compares with; '' where there is nothing to compare and no run of ours."""
    if section.baseline is not None:
        return f'delta_m against {section.baseline.name}: {section.baseline.source}.'.replace('..', '.')
    if any(line.row.ours for line in section.lines):
        return (
            f'No delta_m: there is no baseline of {table.dataset}, {section.backbone} and these protocols'
            f'{" for data of this kind" if table.setting else ""}. {HOW_TO_MAKE}.'
        )
    return ''


def to_markdown(tables: Sequence[Table], *, level: int = 2) -> str:
    """The tables as Markdown.

    Args:
        tables: What to write.
        level: Of the headings of data sets.
    """
    parts = [LEGEND]
    dataset = ''
    for table in tables:
        if table.dataset != dataset:
            dataset = table.dataset
            parts.append(f'{"#" * level} {_plain(table.dataset_title)}')
        parts.append(f'{"#" * (level + 1)} {_plain(table.title)}')
        parts.append(f'Protocol: {_plain(table.protocol)}.')
        sources = sources_of(table)
        for section in table.sections:
            parts.append(f'**{_plain(_backbone(section))}**' + _spaced(_plain(reference(section, table))))
            parts.append(_markdown_section(section, table, list(sources)))
        listed = zip(_LETTERS, sources.items())
        parts.append(
            '\n'.join(f'- [{letter}] {_plain(source)}.{_spaced(_plain(note))}' for letter, (source, note) in listed)
        )
    return '\n\n'.join(parts) + '\n'


def _plain(text: str) -> str:
    """``text`` on one line, with what Markdown would take for marks or HTML escaped; names of runs are the user's."""
    return re.sub(r'([\\`*<\[\]])', r'\\\1', ' '.join(text.split()))


def _backbone(section: Section) -> str:
    return 'Backbone not stated' if section.backbone == UNSTATED else section.backbone


def _spaced(text: str) -> str:
    return f' {text}' if text else ''


def _markdown_section(section: Section, table: Table, sources: list[str]) -> str:
    gain = ['delta_m', 'printed'] if table.has_delta_m else []
    head = [
        'method',
        *(_SIZES[size] for size in table.sizes),
        *(heading(column) for column in table.columns),
        *gain,
        'source',
    ]
    rows = []
    notes: list[str] = []
    for line in section.lines:
        numbers = []
        for note in line.notes:
            if note not in notes:
                notes.append(note)
            numbers.append(f'({notes.index(note) + 1})')
        name = _plain(line.row.name)
        name = ' '.join([f'**{name}**' if line.row.ours else name, *numbers])
        cells = [name, *(shown(line, size) for size in table.sizes)]
        cells += [_emphasised(line, column) for column in table.columns]
        if gain:
            printed = '' if line.row.delta_m is None else f'{line.row.delta_m:+.2f}'
            recomputed = '' if line.delta_m is None else _emphasised(line, 'delta_m')
            cells += [recomputed, printed]
        named = [f'{_plain(paper_of(s))} [{_LETTERS[sources.index(s)]}]' for s in line.row.source.split('; ')]
        rows.append([*cells, '; '.join(named)])
    text = markdown_table(head, rows, left=(0, len(head) - 1)).rstrip('\n')
    return text + ''.join(f'\n\n({number}) {_plain(note)}' for number, note in enumerate(notes, 1))


def _emphasised(line: Line, column: str) -> str:
    text = shown(line, column)
    return {1: f'**{text}**', 2: f'*{text}*'}.get(line.marks.get(column, 0), text)


def to_records(tables: Sequence[Table]) -> list[dict[str, Any]]:
    """The tables as plain values: what the JSON form and the page hold."""
    return [
        {
            'dataset': table.dataset,
            'title': f'{table.dataset_title}: {table.title}',
            'setting': table.setting,
            'study': table.study,
            'protocols': table.protocols,
            'columns': list(table.columns),
            'sources': sources_of(table),
            'sections': [
                {
                    'backbone': section.backbone,
                    'baseline': section.baseline.name if section.baseline else None,
                    'reference': reference(section, table),
                    'rows': [_record(line) for line in section.lines],
                }
                for section in table.sections
            ],
        }
        for table in tables
    ]


def _record(line: Line) -> dict[str, Any]:
    row = line.row
    return {
        'method': row.method,
        'variant': row.variant,
        'ours': row.ours,
        'runs': row.runs,
        'params': row.params,
        'params_counted': row.params_counted,
        'macs': row.macs,
        'scores': {column: float(value) for column, value in row.scores.items()},
        'std': row.std,
        'marks': line.marks,
        'delta_m': line.delta_m,
        'delta_m_std': line.delta_m_std,
        'delta_m_printed': row.delta_m,
        'source': row.source,
        'notes': list(line.notes),
    }


def to_json(tables: Sequence[Table]) -> str:
    """The tables as JSON."""
    return json.dumps(to_records(tables), indent=2, ensure_ascii=False, allow_nan=False) + '\n'


def to_csv(tables: Sequence[Table]) -> str:
    """The rows of all tables as CSV, one line each; scores that a row lacks are empty."""
    columns = list(dict.fromkeys(column for table in tables for column in table.columns))
    fixed = [
        'dataset',
        'setting',
        'study',
        'protocol',
        'backbone',
        'method',
        'variant',
        'ours',
        'runs',
        'params',
        'macs',
    ]
    gain = ['delta_m', 'delta_m std', 'delta_m_printed', 'baseline']
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow([*fixed, *(name for c in columns for name in (c, f'{c} std')), *gain, 'source', 'notes'])
    for table in tables:
        for section in table.sections:
            for line in section.lines:
                row = line.row
                values: list[Any] = [table.dataset, table.setting, table.study, table.protocol, section.backbone]
                values += [row.method, row.variant, row.ours, row.runs, row.params, row.macs]
                for column in columns:
                    there = column in table.columns
                    values += [row.scores.get(column) if there else None, row.std.get(column) if there else None]
                baseline = section.baseline.name if section.baseline else None
                values += [line.delta_m, line.delta_m_std, row.delta_m, baseline]
                values += [row.source, ' '.join((*line.notes, *row.source_notes))]
                writer.writerow(['' if value is None else value for value in values])
    return text.getvalue()
