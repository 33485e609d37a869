from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mtlbox.leaderboard import Row, load_rows
from mtlbox.leaderboard.rows import Number
from mtlbox.leaderboard.runs import read_run
from mtlbox.leaderboard.tables import Line, Table, build_tables, rounding, sources_of

CTAL = 'nyuv2-13_hrnet18-small-v2_ctal-paper'
Write = Callable[..., Path]
DATA = {'dataset': 'NYUv2', 'split': 'val', 'samples': 654, 'of': 654, 'replica': False}


def line_of(table: Table, method: str) -> Line:
    (found,) = [line for section in table.sections for line in section.lines if line.row.method == method]
    return found


def plain(tables: list[Table], *tasks: str) -> Table:
    (found,) = [t for t in tables if not t.study and not t.setting and tuple(t.protocols) == tasks]
    return found


@pytest.fixture(scope='module')
def nyud() -> Table:
    tables = [t for t in build_tables(load_rows(), dataset='nyud-40', studies=False) if 'boundary' in t.protocols]
    assert [t.protocols['boundary'] for t in tables] == ['astmt/nyud', 'invpt/nyud']  # kept apart
    return tables[0]


def test_every_published_row_is_in_one_table_with_its_protocol() -> None:
    tables = build_tables(load_rows())
    kept = [line.row for table in tables for section in table.sections for line in section.lines]
    names = {(row.dataset, row.source, row.name, row.backbone) for row in load_rows()}
    there = {(row.dataset, source, row.name, row.backbone) for row in kept for source in row.source.split('; ')}
    assert there == names
    for table in tables:
        for section in table.sections:
            assert {line.row.backbone for line in section.lines} == {section.backbone}
            for line in section.lines:
                assert {task: line.row.protocols[task] for task in table.protocols} == table.protocols


def test_delta_m_is_recomputed_against_the_single_task_row() -> None:
    table = plain(build_tables(load_rows(), dataset='NYUv2', backbone='HRNet18'), 'semseg', 'depth', 'normals')
    (section,) = table.sections
    assert section.baseline is not None and section.baseline.name == CTAL
    assert line_of(table, 'CTAL (single scale)').delta_m == pytest.approx(2.635, abs=1e-3)
    assert line_of(table, 'STL').delta_m is None
    assert not line_of(table, 'CTAL (single scale)').notes


def test_printed_gains_agree_within_rounding_or_a_note_says_no() -> None:
    wrong = {}
    for table in build_tables(load_rows()):
        for section in table.sections:
            for line in section.lines:
                if line.delta_m is None or line.row.delta_m is None:
                    continue
                off = abs(line.delta_m - line.row.delta_m)
                noted = any('more than rounding' in note for note in line.notes)
                assert noted == (off > rounding(line.row, section.baseline))
                if noted:
                    wrong[table.dataset, line.row.method, section.backbone] = round(off, 2)
    assert wrong == {
        ('nyud-40', 'DeMT', 'HRNet-W18-small-v2'): 0.07,
        ('nyud-40', 'DeMT', 'Swin-T'): 0.17,
        ('pascal', 'PAD-Net', 'SwinV2-S'): 0.24,
    }


def test_rounding_follows_the_printed_digits() -> None:
    baseline = build_tables(load_rows(), dataset='NYUv2', backbone='HRNet18')[0].sections[0].baseline
    row = next(row for row in load_rows() if row.dataset == 'nyuv2-13' and row.method == 'MTL')
    fine = rounding(row, baseline)
    coarse = rounding(replace(row, scores=row.scores | {'semseg/mIoU': Number.parse('49.3')}), baseline)
    assert coarse - fine == pytest.approx(100 / 3 * 0.045 / 49.23, rel=0.01)


def test_equal_rows_of_several_papers_are_one_and_others_stay(nyud: Table) -> None:
    (section,) = [s for s in nyud.sections if s.backbone == 'HRNet-W18-small-v2']
    pap = line_of(replace(nyud, sections=(section,)), 'PAP-Net').row
    assert 'ATRC family' in pap.source and 'TIF' in pap.source and pap.params == 4.54 and pap.delta_m == -0.95
    assert [line.row.scores['boundary/odsF'] for line in section.lines if line.row.method == 'PSD'] == [76.42, 76.38]
    assert set(sources_of(nyud)) >= {'DeMT, AAAI 2023, results on NYUD-v2', 'TIF, ACM MM 2024, results on NYUD-v2'}


def test_best_and_second_best(nyud: Table) -> None:
    (section,) = [s for s in nyud.sections if s.backbone == 'Swin-T']
    marks = {line.row.method: line.marks.get('semseg/mIoU') for line in section.lines}
    assert marks['TIF'] == 1 and marks['DeMT'] == 2 and marks['MTL'] is None
    depth = {line.row.method: line.marks.get('depth/rmse') for line in section.lines}
    assert depth['TIF'] == 1 and depth['DeMT'] == 2  # lower is better
    (large,) = [s for s in nyud.sections if s.backbone == 'Swin-L']
    assert large.baseline is None and all(line.delta_m is None for line in large.lines)


def test_rows_of_a_protocol_that_is_not_stated_have_no_gain() -> None:
    for table in build_tables(load_rows(), dataset='taskonomy'):
        assert all(section.baseline is None for section in table.sections)
        assert len({source.partition(',')[0] for source in sources_of(table)}) == 1


def test_few_shot_rows_are_not_compared_with_the_full_training() -> None:
    tables = [t for t in build_tables(load_rows(), dataset='pascal') if t.setting.startswith('Few-shot')]
    assert len(tables) == 3
    assert all(s.baseline is None and len(s.lines) == 2 for t in tables for s in t.sections)


def test_a_run_stands_beside_published_rows(write_result: Write) -> None:
    run = read_run(write_result() / 'result.json')
    tables = build_tables([*load_rows(), run], dataset='nyuv2-13')
    table = plain(tables, 'semseg', 'depth', 'normals')
    line = line_of(table, run.method)
    assert line.row.columns == table.columns == ('semseg/mIoU', 'depth/relErr', 'normals/mErr')
    changes = (52 - 49.23) / 49.23, (0.1636 - 0.15) / 0.1636, (23.15 - 22.5) / 23.15
    assert line.delta_m == pytest.approx(100 * sum(changes) / 3)
    assert line.marks['depth/relErr'] == 1
    assert sum(line.row.ours for t in tables for s in t.sections for line in s.lines) == 1


@pytest.mark.parametrize(
    'changes',
    [
        {'data': DATA | {'replica': True}},
        {'data': DATA | {'samples': 3}},
        {'protocols': {'semseg': 'pooled-absent-zero', 'depth': 'pixel-pooled', 'normals': 'arccos'}},
    ],
)
def test_a_run_of_other_data_or_protocol_is_kept_apart(write_result: Write, changes: dict) -> None:
    run = read_run(write_result(**changes) / 'result.json')
    (table,) = [
        t
        for t in build_tables([*load_rows(), run], dataset='nyuv2-13')
        if any(line.row.ours for section in t.sections for line in section.lines)
    ]
    assert [len(section.lines) for section in table.sections] == [1]
    assert table.sections[0].baseline is None and table.sections[0].lines[0].delta_m is None


def test_a_named_baseline(write_result: Write, tmp_path: Path) -> None:
    from mtlbox.evaluation import write_baseline

    work_dir = write_result(model='STL')
    path = tmp_path / 'stl.json'
    write_baseline(path, work_dir / 'result.json', name='ours', dataset='nyuv2-13')
    table = plain(build_tables(load_rows(), dataset='nyuv2-13', baseline=str(path)), 'semseg', 'depth', 'normals')
    names = {s.backbone: s.baseline.name for s in table.sections if s.baseline}
    assert names == {'HRNet-W18-small-v2': 'ours', 'SwinV2-S': 'nyuv2-13_swinv2-s_ctal-paper'}
    assert line_of(replace(table, sections=table.sections[:1]), 'STL').delta_m < 0
    with pytest.raises(ValueError, match=r"baseline 'ours' is of nyuv2-13.*no table has these"):
        build_tables(load_rows(), dataset='pascal', baseline=str(path))


@pytest.mark.parametrize(
    ('column', 'method', 'last'),
    [
        ('delta_m', 'CTAL (multi-scale)', 'STL'),
        ('depth/relErr', 'CTAL (multi-scale)', 'MTL'),
        ('params', 'MTL', 'MTI-Net'),
    ],
)
def test_sort(column: str, method: str, last: str) -> None:
    table = build_tables(load_rows(), dataset='nyuv2-13', backbone='HRNet18', sort=column)[0]
    lines = table.sections[0].lines
    assert (lines[0].row.method, lines[-1].row.method) == (method, last)


@pytest.mark.parametrize(
    ('asked', 'message'),
    [
        ({'dataset': 'nyud-4'}, r"no row has the dataset 'nyud-4'. Did you mean 'nyud-40'"),
        ({'backbone': 'Swin-X'}, r"no row has the backbone 'Swin-X'"),
        ({'dataset': 'taskonomy', 'backbone': 'Swin-T'}, r"no row has the backbone 'Swin-T' on taskonomy"),
        ({'sort': 'semseg/miou'}, r"no table has a column 'semseg/miou'. Did you mean 'semseg/mIoU'"),
    ],
)
def test_what_is_not_there_is_named(asked: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_tables(load_rows(), **asked)


def test_rows_are_not_changed() -> None:
    before = [repr(row) for row in load_rows()]
    build_tables(load_rows(), sort='params')
    assert [repr(row) for row in load_rows()] == before and isinstance(load_rows()[0], Row)
