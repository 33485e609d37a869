from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mtlbox.leaderboard import load_rows
from mtlbox.leaderboard.runs import read_run
from mtlbox.leaderboard.tables import Table, build_tables
from mtlbox.leaderboard.text import to_csv, to_json, to_markdown

Write = Callable[..., Path]
DATA = {'dataset': 'NYUv2', 'split': 'val', 'samples': 654, 'of': 654, 'replica': False}


@pytest.fixture(scope='module')
def tables() -> list[Table]:
    return build_tables(load_rows())


def markdown_row(text: str, method: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if re.match(rf'\| \**{re.escape(method)}', line)]
    return [cell.strip() for cell in line.strip('|').split('|')]


def test_markdown_shows_numbers_as_they_are_printed() -> None:
    text = to_markdown(build_tables(load_rows(), dataset='nyuv2-13', backbone='HRNet18', studies=False))
    assert 'Protocol: semseg: pooled-absent-skipped, depth: pixel-pooled, normals: arccos.' in text
    assert 'delta_m against nyuv2-13_hrnet18-small-v2_ctal-paper: CTAL, WACV 2025, Table 1' in text
    assert markdown_row(text, 'PAP-Net (1)') == [
        'PAP-Net (1)', '4.780†', '65.12', '50.00', '0.1615', '23.78', '+0.04', '+0.04', 'CTAL [a]',
    ]  # fmt: skip
    assert markdown_row(text, 'CTAL (multi-scale)')[3:8] == ['**52.70**', '**0.1529**', '*22.99*', '**+4.76**', '+4.76']
    assert '(1) The released config says one diffusion iteration' in text
    assert '- [a] CTAL, WACV 2025, Table 1. Mean of three seeds.' in text


def test_every_markdown_row_has_the_cells_of_its_head(tables: list[Table]) -> None:
    text = to_markdown(tables)
    for block in re.findall(r'(?:^\|.*\n)+', text, flags=re.MULTILINE):
        assert len({line.count(' | ') for line in block.splitlines()}) == 1, block
    assert text.count('\n## ') == len({table.dataset for table in tables})


def test_seeds_are_shown_with_their_deviation(write_result: Write) -> None:
    run = read_run(write_result(seeds=[0, 1], std={'semseg/mIoU': 0.25, 'depth/relErr': 0.002}) / 'result.json')
    text = to_markdown(build_tables([*load_rows(), run], dataset='nyuv2-13', backbone='HRNet18', studies=False))
    cells = markdown_row(text, run.method)
    assert cells[0] == f'**{run.method}**' and cells[1] == '4.086†'
    assert cells[3:6] == ['*52.00 ± 0.25*', '**0.1500 ± 0.0020**', '**22.50**']
    assert cells[-1] == 'ours [b]' and '- [b] ours, commit abc123, seeds 0, 1.' in text


def test_names_of_runs_are_text_and_no_marks(write_result: Write) -> None:
    row = read_run(write_result(config='<b>mine*[x](y) | z_1.py') / 'result.json')
    assert r'**\<b>mine\*\[x\](y) \| z_1**' in to_markdown(build_tables([row]))


def test_a_run_without_a_baseline_says_how_to_make_one(write_result: Write) -> None:
    run = read_run(write_result(backbone='Swin-T') / 'result.json')
    text = to_markdown(build_tables([run]))
    assert 'No delta_m: there is no baseline of nyuv2-13, Swin-T and these protocols. To make one, train' in text
    replica = read_run(write_result('replica', data=DATA | {'replica': True}) / 'result.json')
    text = to_markdown(build_tables([replica]))
    assert 'compares with nothing that is published' in text and 'for data of this kind. To make one' in text


def test_csv_has_a_line_for_each_row(tables: list[Table]) -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(tables))))
    assert len(lines) == sum(len(section.lines) for table in tables for section in table.sections)
    (line,) = [x for x in lines if (x['method'], x['backbone'], x['dataset']) == ('TIF', 'ViT-B', 'nyud-40')]
    assert float(line['semseg/mIoU']) == 52.57 and float(line['params']) == 124
    assert line['delta_m'] == line['saliency/maxF'] == line['semseg/mIoU std'] == ''
    assert line['protocol'].startswith('semseg: pooled-absent-zero')


def test_json_is_the_tables(tables: list[Table]) -> None:
    records = json.loads(to_json(tables))
    assert [record['dataset'] for record in records] == [table.dataset for table in tables]
    (record,) = [r for r in records if r['dataset'] == 'cityscapes-mtan']
    row = next(row for row in record['sections'][0]['rows'] if row['method'] == 'CTAL (single scale)')
    assert row['scores'] == {'semseg/mIoU': 51.36, 'disparity/relErr': 23.84}
    assert row['delta_m'] == pytest.approx(12.67, abs=0.01) and row['delta_m_printed'] == 12.67
