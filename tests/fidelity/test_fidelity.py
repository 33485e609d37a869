"""Every printed size against the config that builds the network, and docs/fidelity.md against both."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mtlbox.apis.complexity import build_for_counting
from mtlbox.apis.tables import markdown_table, replace_between
from mtlbox.config import load_config
from mtlbox.leaderboard import load_rows
from mtlbox.leaderboard.fidelity import COUNTERS, FidelityRow, complaints, misfits, read_fidelity

ROOT = Path(__file__).parents[2]


def load_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location('fidelity', ROOT / 'tools/analysis_tools/fidelity.py')
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = load_tool()
ROWS, ABSENT = read_fidelity(TOOL.ROWS)


def by_size() -> list[Any]:
    slow = ('stl_swin', 'stl_resnet50', 'swin-l', 'vit-b')
    return [
        pytest.param(
            row,
            id=f'{row.config} {dict(row.options)}',
            marks=pytest.mark.slow if any(part in row.config for part in slow) else (),
        )
        for row in ROWS
    ]


@pytest.mark.parametrize('row', by_size())
def test_ours_is_as_printed_or_there_is_a_reason(row: FidelityRow) -> None:
    """Each figure is near, or the row says why not and shows it by another count; and the page says the same."""
    assert not complaints(row, TOOL.COUNTS)
    line = markdown_table(TOOL.HEAD, [TOOL.cells(row)], left=range(len(TOOL.HEAD))).splitlines()[-1]
    assert line in TOOL.PAGE.read_text(), f'{TOOL.PAGE} is stale: python tools/analysis_tools/fidelity.py'


def test_unused_weights_are_all_that_is_between_the_counts() -> None:
    """Where a row says that weights which nothing uses are in the printed count, with them all of it is as printed."""
    rows = [row for row in ROWS if 'unused weights' in getattr(row.reasons.get('params'), 'why', '')]
    assert rows
    for row in rows:
        (reading,) = row.reasons['params'].readings
        assert not misfits(row, TOOL.COUNTS.figures(row, reading)), row.config


@pytest.mark.parametrize('name', ['demt/demt_swin-t_nyud', 'demt/demt_swin-s_nyud'])
def test_the_counter_of_demt_is_known_for_two_of_its_rows(name: str) -> None:
    (row,) = (row for row in ROWS if row.config == name)
    (reading,) = row.reasons['macs'].readings
    cfg = load_config(TOOL.config_path(name))
    counted = COUNTERS[reading.counter](TOOL.count(name, {}), cfg)
    assert counted == pytest.approx(row.printed.macs, rel=0.005)


def test_every_printed_size_is_compared_or_named_as_absent() -> None:
    compared, absent = {id(row.printed) for row in ROWS}, {id(row) for row in ABSENT}
    assert not compared & absent
    printed = [r for r in load_rows() if r.macs is not None or (r.params is not None and not r.params_counted)]
    left = [f'{r.source}: {r.name} ({r.backbone})' for r in printed if id(r) not in compared | absent]
    assert not left, f'add them to {TOOL.ROWS}'
    assert absent <= {id(r) for r in printed}
    assert all(row.printed.macs or row.params or row.relative for row in ROWS)


def test_what_of_the_page_takes_no_counting_is_not_stale(tmp_path: Path) -> None:
    for mark, text in TOOL.light_content(ABSENT).items():
        assert replace_between(TOOL.PAGE, mark, text, check=True), mark
    page = TOOL.PAGE.read_text()
    table = page[page.index('<!-- sizes -->') : page.index('<!-- /sizes -->')].strip().splitlines()
    assert len(table) == 3 + len(ROWS)


def differences() -> list[Any]:
    return [pytest.param(row, id=f'{row["method"]}: {row["what"]}') for row in TOOL.differences()]


@pytest.mark.parametrize('row', differences())
def test_the_other_side_of_a_difference_is_another_config_that_builds(row: dict[str, Any]) -> None:
    cfg = load_config(TOOL.config_path(row['config']))
    other = load_config(TOOL.config_path(row.get('other', row['config'])), row.get('options'))
    assert cfg.pretty_text != other.pretty_text
    assert ('other' in row) != ('options' in row)
    model = build_for_counting(other.model)
    assert set(model.tasks) == set(cfg.model.tasks)
