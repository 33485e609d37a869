"""Write docs/fidelity.md's tables: printed sizes beside ours, and where papers and their released code differ.

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
from mtlbox.leaderboard.fidelity import COUNTERS, FidelityRow, Reading, read_fidelity
from mtlbox.leaderboard.rows import UNSTATED, Row

ROOT = Path(__file__).parents[2]
PAGE = ROOT / 'docs' / 'fidelity.md'
ROWS = ROOT / 'tests' / 'fidelity' / 'rows.yml'
DIFFERENCES = ROOT / 'tests' / 'fidelity' / 'differences.yml'
HEAD = ('row of the paper', 'printed', 'released code', 'ours', 'config', 'what it is', 'reason')
HEAD_DIFFERENCES = ('method', 'what', 'paper', 'released code', 'ours', 'the other one')


def config_path(name: str) -> Path:
    """Return the file of a config that is named by its path under ``configs/``, without suffix."""
    return ROOT / 'configs' / f'{name}.py'


def count(config: str, options: Mapping[str, Any]) -> Complexity:
    """Count a config with options, once."""
    return _count(config, tuple(sorted(options.items())))


@cache
def _count(config: str, options: tuple[tuple[str, Any], ...]) -> Complexity:
    return count_config(config_path(config), dict(options))


def cells(row: FidelityRow) -> list[str]:
    """Return what the table says of a row; its config is counted, and its readings."""
    ours = count(row.config, row.options)
    printed, counted = [], []
    if row.params is not None:
        printed.append(f'{row.params} M')
        counted.append(f'{ours.params / 1e6:.3f} M')
    if row.relative is not None:
        printed.append(f'{row.relative:.3f} of STL')
        counted.append(f'{ours.params / count(row.reference, {}).params:.3f} of STL')
    if row.printed.macs is not None:
        printed.append(f'{row.printed.macs:.2f} G')
        counted.append(f'{row.macs_of(ours) / 1e9:.2f} G')
    reason = [row.reason, *(_told(row, reading) for reading in row.readings)]
    return [
        f'{_name(row.printed)}: {row.printed.source}',
        ', '.join(printed),
        row.code,
        ', '.join(counted),
        f'`{row.config}`{_options(row.options)}',
        row.ours,
        '; '.join(part for part in reason if part),
    ]


def _told(row: FidelityRow, reading: Reading) -> str:
    options = {**row.options, **reading.options}
    counted = count(row.config, options)
    if reading.counter:
        cfg = load_config(config_path(row.config), options)
        return f'{reading.name}: {COUNTERS[reading.counter](counted, cfg):.2f} G'
    return f'{reading.name}: {counted.params / 1e6:.3f} M, {row.macs_of(counted) / 1e9:.2f} G'


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
    return {
        'differences': markdown_table(HEAD_DIFFERENCES, table, left=range(len(HEAD_DIFFERENCES))),
        'absent': absent_text(absent),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Write the tables; with ``--check`` only say whether they are what would be written."""
    return write_page(PAGE, content, description=__doc__ or '', argv=argv)


if __name__ == '__main__':
    sys.exit(main())
