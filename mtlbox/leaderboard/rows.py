"""Rows of published tables, read from ``data/<dataset>.yml``.

A file names its ``dataset`` and has ``tables`` (``anchors`` is free for YAML anchors). A table has

* ``source``: paper, venue and table; ``note``: what is true of all its rows;
* ``columns``: names of scores, in the order of the paper; ``protocols``: the protocol of each task. ``unstated`` stands
  for one that the paper does not say: such rows are compared within their source only;
* ``setting``: what sets its rows apart from the plain training on the data set (few-shot, zero-shot, ...);
  ``study``: what an ablation varies. Rows of different settings and studies are never in one table;
* ``backbone`` of all rows, or else each row has its own; ``params_counted``: whether parameters were counted by us;
  ``macs_images``: for how many images the printed compute is, 1 unless given;
* ``rows``.

A row has a ``method`` and ``scores``, one a column, null where the paper has none. It may have a ``variant``, a
``backbone``, ``params`` (millions), ``macs`` (1e9 multiply-accumulates), the printed ``delta_m`` (percent), a ``note``,
and, where it is the single-task reference of its data set, backbone and protocol, the name that it has as a
``baseline``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mtlbox.leaderboard.names import FOLDER, known_backbones, known_datasets, known_scores
from mtlbox.registry import did_you_mean

UNSTATED = 'unstated'


class Number(float):
    """A float that remembers how it was written, so that it can be printed so.

    Attributes:
        text: As it was written, with a digit before the point: '0.1570'.
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> Number:
        """Read ``text``, e.g. '.1570'."""
        number = cls(text)
        sign, digits = ('-', text[1:]) if text.startswith('-') else ('', text.lstrip('+'))
        number.text = sign + ('0' + digits if digits.startswith('.') else digits)
        return number

    @property
    def half_unit(self) -> float:
        """Half a unit of the last digit that was written: how far the unrounded number can be off."""
        return 0.5 * 10.0 ** -len(self.text.partition('.')[2])


@dataclass(frozen=True, kw_only=True)
class Row:
    """Scores of one network, published or ours.

    Attributes:
        dataset: Data set that was scored.
        method: Name of the method; of a run, of its config.
        backbone: Its backbone, 'unstated' where the source does not say.
        source: Paper, venue and table, several joined by '; '; of a run, commit and seeds.
        columns: Names of the scores, in the order of the source.
        scores: What is known of them.
        missing: Scores of a run of ours that could not be computed.
        protocols: Protocol of each task.
        variant: Which row of an ablation it is, '' for none.
        setting: What sets it apart from the plain training on the data set, '' for nothing.
        study: What the ablation varies that it is part of, '' for none.
        delta_m: Printed multi-task gain in percent.
        params: Parameters in millions.
        params_counted: Whether they were counted by us, not printed.
        macs: Multiply-accumulates for one image, in 1e9.
        macs_counted: Whether they were counted by us, not printed.
        baseline: Its name as a single-task baseline, '' if it is none.
        note: What a reader must know of the row.
        source_notes: What a reader must know of all rows of its sources, each led by the source.
        ours: Whether it is a run of ours.
        std: Standard deviation of each score over seeds (of a sample, n - 1), where there are several.
        runs: Number of seeds.
        seed_scores: Scores of each of several seeds, where they are known.
    """

    dataset: str
    method: str
    backbone: str
    source: str
    columns: tuple[str, ...]
    scores: dict[str, float]
    protocols: dict[str, str]
    variant: str = ''
    setting: str = ''
    study: str = ''
    delta_m: float | None = None
    params: float | None = None
    params_counted: bool = False
    macs: float | None = None
    macs_counted: bool = False
    baseline: str = ''
    note: str = ''
    source_notes: tuple[str, ...] = ()
    ours: bool = False
    std: dict[str, float] = field(default_factory=dict)
    runs: int = 1
    missing: tuple[str, ...] = ()
    seed_scores: tuple[dict[str, float], ...] = ()

    @property
    def name(self) -> str:
        """Method and variant."""
        return f'{self.method}, {self.variant}' if self.variant else self.method


@cache
def load_rows() -> tuple[Row, ...]:
    """All published rows that mtlbox ships."""
    files = sorted(path for path in FOLDER.glob('*.yml') if path.name != 'names.yml')
    return tuple(row for path in files for row in read_rows(path))


def read_rows(path: str | Path) -> list[Row]:
    """Read the rows of a file.

    Raises:
        ValueError: The file breaks the rules above; the message names the file, the table, the row and the key.
    """
    path = Path(path)
    try:
        content = yaml.load(path.read_text(encoding='utf-8'), Loader=_Loader)
    except yaml.YAMLError as error:
        raise ValueError(f'{path} is not valid YAML: {error}') from error
    _check_keys(content, str(path), required={'dataset', 'tables'}, optional={'anchors'})
    dataset = _one_of(content['dataset'], known_datasets(), f'{path}: dataset')
    rows: list[Row] = []
    seen: set[tuple] = set()
    for index, table in enumerate(content['tables']):
        where = f'{path}: tables.{index}'
        if isinstance(table, Mapping) and table.get('source'):
            where = f'{path}: {table["source"]!r}'
        for row in _rows_of(table, dataset, where):
            key = (row.source, row.setting, row.study, row.columns, row.method, row.variant, row.backbone)
            if key in seen:
                raise ValueError(f'{where}: {row.name} ({row.backbone}) is there twice')
            seen.add(key)
            rows.append(row)
    return rows


_TABLE_KEYS = {'backbone', 'setting', 'study', 'note', 'params_counted', 'macs_images'}
_ROW_KEYS = {'backbone', 'variant', 'scores', 'params', 'macs', 'delta_m', 'note', 'baseline'}


def _rows_of(table: Any, dataset: str, where: str) -> Iterator[Row]:
    _check_keys(table, where, required={'source', 'columns', 'protocols', 'rows'}, optional=_TABLE_KEYS)
    columns = tuple(_one_of(column, known_scores(), f'{where}: columns') for column in table['columns'])
    if ';' in table['source'] or ': ' in table['source']:
        raise ValueError(f"{where}: the source must have no ';' or ': ', by which several are joined")
    tasks = {column.partition('/')[0] for column in columns}
    if columns and set(table['protocols']) != tasks:
        raise ValueError(f'{where}: protocols are given for {sorted(table["protocols"])}, expected {sorted(tasks)}')
    for row in table['rows']:
        _check_keys(row, where, required={'method'}, optional=_ROW_KEYS)
        place = f'{where}: {row["method"]}'
        if ('backbone' in row) == ('backbone' in table):
            raise ValueError(f'{place}: the backbone must be given once, by the table or by the row')
        scores = row.get('scores', [])
        if len(scores) != len(columns):
            raise ValueError(f'{place}: {len(scores)} scores for the {len(columns)} columns {list(columns)}')
        macs = _number(row, 'macs', place, 0, 1e6)
        yield Row(
            dataset=dataset,
            method=row['method'],
            variant=str(row.get('variant', '')),
            backbone=_one_of(row.get('backbone', table.get('backbone')), known_backbones(), f'{place}: backbone'),
            source=table['source'],
            columns=columns,
            scores={c: _score(c, value, place) for c, value in zip(columns, scores) if value is not None},
            protocols=dict(table['protocols']),
            setting=table.get('setting', ''),
            study=table.get('study', ''),
            delta_m=_number(row, 'delta_m', place, -100, 100),
            params=_number(row, 'params', place, 0, 1e5),
            params_counted=bool(table.get('params_counted', False)) and 'params' in row,
            macs=macs if macs is None or 'macs_images' not in table else macs / table['macs_images'],
            baseline=row.get('baseline', ''),
            note=row.get('note', ''),
            source_notes=(f'{table["source"]}: {table["note"]}',) if table.get('note') else (),
        )


def _check_keys(content: Any, where: str, *, required: set[str], optional: set[str]) -> None:
    if not isinstance(content, Mapping):
        raise ValueError(f'{where}: expected keys and values, got {content!r}')
    for key in content:
        if key not in required | optional:
            raise ValueError(f'{where}: unknown key {key!r}.{did_you_mean(str(key), required | optional)}')
    for key in sorted(required):
        if content.get(key) in (None, ''):
            raise ValueError(f'{where}: the key {key!r} is missing')


def _one_of(name: Any, known: Any, where: str) -> str:
    if name not in known:
        raise ValueError(f'{where}: {name!r} is not known.{did_you_mean(str(name), known)}')
    return str(name)


def _score(column: str, value: Any, where: str) -> float:
    score = known_scores()[column]
    return _plausible(value, f'{where}: {column}', score.low, score.high)


def _number(row: Mapping[str, Any], key: str, where: str, low: float, high: float) -> float | None:
    return None if key not in row else _plausible(row[key], f'{where}: {key}', low, high)


def _plausible(value: Any, where: str, low: float, high: float) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f'{where}: expected a number, got {value!r}')
    if not low <= value <= high:
        raise ValueError(f'{where}: {value} is not plausible, expected {low:g} to {high:g}')
    return value if isinstance(value, Number) else Number.parse(str(value))


class _Loader(yaml.SafeLoader):
    """Reads finite floats as ``Number``."""


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    value = loader.construct_yaml_float(node)
    return Number.parse(str(loader.construct_scalar(node))) if math.isfinite(value) else value


_Loader.add_constructor('tag:yaml.org,2002:float', _float)


def paper_of(source: str) -> str:
    """Return the paper of a source: what stands before its first comma outside brackets."""
    depth = 0
    for index, letter in enumerate(source):
        depth += (letter == '(') - (letter == ')')
        if letter == ',' and not depth:
            return source[:index]
    return source
