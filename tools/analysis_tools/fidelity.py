"""Write docs/fidelity.md's tables: printed sizes beside ours, where papers and their code differ, how one trains.

python tools/analysis_tools/fidelity.py [--check]
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mtlbox.apis.complexity import Complexity, count_config
from mtlbox.apis.tables import markdown_table, write_page
from mtlbox.config import load_config
from mtlbox.leaderboard.fidelity import Counts, FidelityRow, Reason, quantity_of, read_fidelity
from mtlbox.leaderboard.rows import UNSTATED, Row

ROOT = Path(__file__).parents[2]
PAGE = ROOT / 'docs' / 'fidelity.md'
ROWS = ROOT / 'tests' / 'fidelity' / 'rows.yml'
DIFFERENCES = ROOT / 'tests' / 'fidelity' / 'differences.yml'
TRAINING = ROOT / 'tests' / 'fidelity' / 'training.yml'
HEAD = ('row of the paper', 'printed', 'released code', 'ours', 'config', 'what it is', 'reason')
FORMATS = {
    'params': ('{} M', '{:.3f} M'),
    'relative': ('{:.3f} of STL', '{:.3f} of STL'),
    'macs': ('{:.2f} G', '{:.2f} G'),
}
"""How a printed figure is written, and ours."""
NAMES = {'params': 'parameters', 'macs': 'MACs'}
HEAD_DIFFERENCES = ('method', 'what', 'paper', 'released code', 'ours', 'the other one')
HEAD_TRAINING = (
    *('what', 'configs', 'size', 'optimiser', 'schedule', 'batch', 'clipping', 'drop path', 'losses', 'weights'),
    *('mean and deviation', 'augmentation', 'neck', 'our choice'),
)


def config_path(name: str) -> Path:
    """Return the file of a config that is named by its path under ``configs/``, without suffix."""
    return ROOT / 'configs' / f'{name}.py'


def count(config: str, options: Mapping[str, Any]) -> Complexity:
    """Count a config with options, once."""
    return _count(config, tuple(sorted(options.items())))


@cache
def _count(config: str, options: tuple[tuple[str, Any], ...]) -> Complexity:
    return count_config(config_path(config), dict(options))


COUNTS = Counts(count=count, load=lambda config, options: load_config(config_path(config), options))


def cells(row: FidelityRow) -> list[str]:
    """Return what the table says of a row; its config is counted, and its readings."""
    printed, ours = row.figures(), COUNTS.figures(row)
    return [
        f'{_name(row.printed)}: {row.printed.source}',
        ', '.join(FORMATS[name][0].format(value) for name, value in printed.items()),
        row.code,
        ', '.join(_compared(name, value, printed[name]) for name, value in ours.items()),
        f'`{row.config}`{_options(row.options)}',
        row.ours,
        '; '.join(_told(row, quantity, reason) for quantity, reason in row.reasons.items()),
    ]


def _compared(name: str, ours: float, printed: float) -> str:
    off = f'{ours / printed - 1:+.1%}'.replace('-0.0%', '+0.0%')
    return f'{FORMATS[name][1].format(ours)} ({off})'


def _told(row: FidelityRow, quantity: str, reason: Reason) -> str:
    """Return what the table says of a reason: of each reading, the figures of its quantity."""
    told = [f'{NAMES[quantity]}: {reason.why}', *([reason.corrected] if reason.corrected else [])]
    for reading in reason.readings:
        ours = {name: value for name, value in COUNTS.figures(row, reading).items() if quantity_of(name) == quantity}
        figures = ', '.join(_compared(name, value, row.figures()[name]) for name, value in ours.items())
        told.append(f'{"possibly " if reading.guess else ""}{reading.name} {figures}')
    return ', '.join([*told, *(['open'] if reason.open else [])])


def _name(row: Row) -> str:
    return row.name if row.backbone == UNSTATED else f'{row.name} on {row.backbone}'


def _options(options: Mapping[str, Any]) -> str:
    return ''.join(f' `{key}={value}`' for key, value in options.items())


def differences() -> list[dict[str, Any]]:
    """Return the places where papers and released code differ."""
    return yaml.safe_load(DIFFERENCES.read_text(encoding='utf-8'))


def difference_cells(difference: Mapping[str, Any]) -> list[str]:
    """Return what the table says of a difference."""
    other = f'`{difference["other"]}`' if 'other' in difference else _options(difference['options']).strip()
    names = ('method', 'what', 'paper', 'code')
    return [*(difference[name] for name in names), f'{difference["has"]}: `{difference["config"]}`', other]


def training() -> list[dict[str, Any]]:
    """Return what sources say of training, a row per group of configs."""
    return yaml.safe_load(TRAINING.read_text(encoding='utf-8'))['rows']


def training_cells(row: Mapping[str, Any]) -> list[str]:
    """Return what the table says of how the configs of a row are trained."""
    return [
        row['source'],
        ', '.join(f'`{pattern}`' for pattern in row['configs']),
        _inner(row['size']),
        _setting(row['optimizer']),
        f'{_setting(row["schedule"])}; {_setting(row["length"])}',
        str(row['batch']),
        _setting(row['clip_grad']),
        _setting(row['drop_path']),
        _setting(row['losses']),
        _setting(row['weighting']),
        _setting(row['normalisation']),
        _setting(row['augmentation']),
        _setting(row.get('neck', {})),
        row['ours'],
    ]


def _setting(value: Any) -> str:
    """Return a setting in words: of a component its name and, in brackets, its settings; of several, each in turn."""
    if isinstance(value, Mapping):
        inside = ', '.join(f'{key} {_inner(item)}' for key, item in value.items() if key != 'type')
        if 'type' not in value:
            return inside
        return f'{value["type"]} ({inside})' if inside else value['type']
    if isinstance(value, list) and isinstance(value[0], Mapping):
        return ', '.join(_setting(item) for item in value)
    return 'none' if value is None else str(value)


def _inner(value: Any) -> str:
    """Return a setting within another, in brackets where it is several."""
    several = isinstance(value, list) or (isinstance(value, Mapping) and 'type' not in value)
    return f'({_setting(value).strip("[]")})' if several else _setting(value)


def absent_text(absent: Sequence[Row]) -> str:
    """Return a list of the printed rows that no config builds."""
    by_source: dict[str, list[str]] = {}
    for row in absent:
        by_source.setdefault(row.source, []).append(_name(row))
    return '\n'.join(f'- {source}: {"; ".join(names)}' for source, names in by_source.items())


def content() -> dict[str, str]:
    """Return what stands between each pair of marks of the page."""
    rows, absent = read_fidelity(ROWS)
    return {
        'sizes': markdown_table(HEAD, [cells(row) for row in rows], left=range(len(HEAD))),
        **light_content(absent),
    }


def light_content(absent: Sequence[Row]) -> dict[str, str]:
    """Return what of :func:`content` takes no counting."""
    table = [difference_cells(difference) for difference in differences()]
    trained = [training_cells(row) for row in training()]
    return {
        'training': markdown_table(HEAD_TRAINING, trained, left=range(len(HEAD_TRAINING))),
        'differences': markdown_table(HEAD_DIFFERENCES, table, left=range(len(HEAD_DIFFERENCES))),
        'absent': absent_text(absent),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Write the tables; with ``--check`` only say whether they are what would be written."""
    return write_page(PAGE, content, description=__doc__ or '', argv=argv)


if __name__ == '__main__':
    sys.exit(main())
