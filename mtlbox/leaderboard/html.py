"""Tables as one HTML file that sorts, filters and plots without a network, and reads without JavaScript too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from mtlbox.leaderboard.names import known_scores
from mtlbox.leaderboard.rows import UNSTATED, paper_of
from mtlbox.leaderboard.tables import Line, Section, Table, sources_of
from mtlbox.leaderboard.text import LEGEND, heading, reference, shown, to_records

PARTS = Path(__file__).parent / 'page'
_SIZES = {'params': 'params (M)', 'macs': 'MACs (G)'}


def to_html(tables: Sequence[Table]) -> str:
    """The tables as one self-contained page."""
    data = json.dumps(to_records(tables), ensure_ascii=False, separators=(',', ':'), allow_nan=False).replace(
        '<', '\\u003c'
    )
    legend = escape(LEGEND).replace('**bold**', '<b class="best">bold</b>')
    contents = {
        'style': (PARTS / 'style.css').read_text(encoding='utf-8'),
        'script': (PARTS / 'script.js').read_text(encoding='utf-8'),
        'legend': legend.replace('*italic*', '<span class="second">underlined</span>'),
        'tables': '\n'.join(_table(table, index) for index, table in enumerate(tables)),
        'data': data,
    }
    page = (PARTS / 'page.html').read_text(encoding='utf-8')
    before, *rest = page.split('{{')  # filled part by part: what is filled in may hold braces itself
    return before + ''.join(contents[part.partition('}}')[0]] + part.partition('}}')[2] for part in rest)


def _table(table: Table, index: int) -> str:
    sources = ''.join(
        f'<li>{escape(source)}{". " + escape(note) if note else ""}</li>' for source, note in sources_of(table).items()
    )
    parts = ''.join(_section(section, table, f't{index}-{place}') for place, section in enumerate(table.sections))
    return (
        f'<section class="table" data-dataset="{escape(table.dataset)}" data-study="{escape(table.study)}">'
        f'<h2>{escape(table.dataset_title)}: {escape(table.title)}</h2>'
        f'<p class="protocol">Protocol: {escape(table.protocol)}.</p>{parts}'
        f'<details><summary>Sources</summary><ul class="notes">{sources}</ul></details></section>'
    )


def _section(section: Section, table: Table, name: str) -> str:
    backbone = 'Backbone not stated' if section.backbone == UNSTATED else section.backbone
    gain = table.has_delta_m
    heads = [_head('method', 'method', 'low'), *(_head(size, _SIZES[size], 'low') for size in table.sizes)]
    for column in table.columns:
        heads.append(_head(column, heading(column), 'high' if known_scores()[column].higher_is_better else 'low'))
    if gain:
        heads += [_head('delta_m', 'delta_m (%) ↑', 'high'), '<th scope="col">printed</th>']
    notes = list(dict.fromkeys(note for line in section.lines for note in line.notes))
    rows = ''.join(_row(line, place, table, notes, gain) for place, line in enumerate(section.lines))
    told = reference(section, table)
    listed = ''.join(f'<li>{escape(note)}</li>' for note in notes)
    return (
        f'<div class="part" data-backbone="{escape(section.backbone)}">'
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{name}"><table><caption id="{name}">'
        f'{escape(backbone)}</caption><thead><tr>{"".join(heads)}<th scope="col">source</th></tr></thead>'
        f'<tbody>{rows}</tbody></table></div>'
        + (f'<p class="reference">{escape(told)}</p>' if told else '')
        + (f'<ol class="notes">{listed}</ol>' if notes else '')
        + '</div>'
    )


def _head(column: str, text: str, better: str) -> str:
    return (
        f'<th scope="col" data-column="{escape(column)}" data-better="{better}" aria-sort="none">'
        f'<button type="button">{escape(text)}</button></th>'
    )


def _row(line: Line, place: int, table: Table, notes: list[str], gain: bool) -> str:
    row = line.row
    numbers = ''.join(f' <sup>{notes.index(note) + 1}</sup>' for note in line.notes)
    text = ' '.join((row.name, row.source, *line.notes)).lower()
    seeds = f' <small>({row.runs} seeds)</small>' if row.runs > 1 else ''
    cells = [f'<th scope="row" data-value="{escape(row.name)}">{escape(row.name)}{seeds}{numbers}</th>']
    cells += [_cell(line, column) for column in (*table.sizes, *table.columns)]
    if gain:
        printed = '' if row.delta_m is None else f'{row.delta_m:+.2f}'
        cells += [_cell(line, 'delta_m', own=True), f'<td>{printed}</td>']
    papers = '; '.join(dict.fromkeys(paper_of(source) for source in row.source.split('; ')))
    cells.append(f'<td class="source">{escape(row.source if row.ours else papers)}</td>')
    return (
        f'<tr data-place="{place}" data-text="{escape(text)}"{" class=ours" if row.ours else ""}>{"".join(cells)}</tr>'
    )


def _cell(line: Line, column: str, own: bool = False) -> str:
    """A cell; with ``own``, a delta_m that is only printed is left to its own column, but sorted by."""
    value = line.value(column)
    text = '' if own and line.delta_m is None else shown(line, column)
    mark = {1: ' class="best"', 2: ' class="second"'}.get(line.marks.get(column, 0), '')
    return f'<td data-value="{"" if value is None else float(value)}"{mark}>{escape(text)}</td>'
