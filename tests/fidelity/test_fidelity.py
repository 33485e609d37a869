"""Every printed size against the config that builds the network, and docs/fidelity.md against both."""

from __future__ import annotations

import importlib.util
import inspect
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmengine.config import Config

from mtlbox.apis.complexity import build_for_counting
from mtlbox.apis.tables import markdown_table, replace_between
from mtlbox.config import load_config
from mtlbox.leaderboard import load_rows
from mtlbox.leaderboard.fidelity import COUNTERS, FidelityRow, complaints, misfits, read_fidelity
from mtlbox.registry import NECKS, WEIGHTINGS
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import build_tasks

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
    cfg, other = both_sides(row)
    assert ('other' in row) != ('options' in row)
    for key, value in row.get('options', {}).items():
        assert value_at(other, key) == value
    assert cfg.pretty_text != other.pretty_text
    assert set(build_for_counting(other.model).tasks) == set(cfg.model.tasks)


def both_sides(row: dict[str, Any]) -> tuple[Config, Config]:
    other = load_config(TOOL.config_path(row.get('other', row['config'])), row.get('options'))
    return load_config(TOOL.config_path(row['config'])), other


def value_at(cfg: Config, key: str) -> Any:
    node: Any = cfg
    for part in key.split('.'):
        node = node[int(part) if part.isdigit() else part]
    return node


OF_NECKS = [p for p in differences() if any('model.neck' in key for key in p.values[0].get('options', {}))]


@pytest.mark.parametrize('row', OF_NECKS)
def test_a_difference_of_the_neck_is_one_in_what_it_computes(row: dict[str, Any]) -> None:
    """With the same weights, or as many of them as the other side has, features or losses are others."""
    one, other = (computed(cfg) for cfg in both_sides(row))
    assert one.keys() != other.keys() or any(
        x.shape != other[name].shape or not torch.allclose(x, other[name], rtol=1e-3, atol=1e-4)
        for name, x in one.items()
    )


def computed(cfg: Config) -> dict[str, torch.Tensor]:
    """Features and losses of the neck at a small width on small maps, all its weights given by their names."""
    neck_cfg = cfg.model.neck
    neck_cfg.in_channels = (16,) * len(neck_cfg.in_channels)
    if 'channels' in inspect.signature(NECKS.get(neck_cfg.type)).parameters:
        neck_cfg.channels = 16
    if 'feature_size' in neck_cfg:
        neck_cfg.feature_size = (16, 24)
    neck = NECKS.build({**neck_cfg, 'tasks': build_tasks(cfg.tasks)})
    with torch.no_grad():
        for name, value in neck.named_parameters():
            value.add_(0.3 * torch.randn(value.shape, generator=seeded(name)))
    pyramid = [
        torch.randn(2, channels, max(1, 16 >> level), max(1, 24 >> level), generator=seeded(str(level)))
        for level, channels in enumerate(neck_cfg.in_channels)
    ]
    torch.manual_seed(0)
    output = neck(pyramid, [MTLDataSample(metainfo={'sample_idx': index}) for index in (1, 2)])
    auxiliaries = {f'{a.task}/{a.name}': a.weight * a.logits for a in output.auxiliaries}
    return {**output.features, **output.losses, **auxiliaries}


def seeded(name: str) -> torch.Generator:
    return torch.Generator().manual_seed(zlib.crc32(name.encode()))


@pytest.mark.parametrize('row', [p for p in differences() if p.values[0]['what'] == 'all of these'])
def test_a_config_as_written_is_all_differences_of_its_method(row: dict[str, Any]) -> None:
    same = {key: row[key] for key in ('method', 'config')}
    singles = [d for d in TOOL.differences() if d.items() >= same.items() and d['what'] != row['what']]
    (base,) = (d['other'] for d in singles if 'other' in d)
    options = {key: value for d in singles for key, value in d.get('options', {}).items()}
    together = load_config(TOOL.config_path(base), options)
    written = load_config(TOOL.config_path(row['other']))
    assert len(singles) > 2
    assert together.to_dict() == written.to_dict()


@pytest.mark.parametrize('data', ['nyud', 'pascal'])
def test_kendalls_form_has_no_factors_of_mtformers_code(data: str) -> None:
    cfg = load_config(TOOL.config_path(f'mtformer/mtformer_swin-s_{data}_as-written'))
    weighting = WEIGHTINGS.build({**cfg.model.weighting, 'tasks': build_tasks(cfg.tasks)})
    assert set(weighting.factors.values()) <= {0.5, 1.0}
