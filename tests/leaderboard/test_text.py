from __future__ import annotations

import csv
import io
import json
import math
import re
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mtlbox.leaderboard import load_rows
from mtlbox.leaderboard.html import to_html
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
    assert cells[6] == '**+5.58**'  # not each seed's scores are known
    assert cells[-1] == 'ours [b]' and 'run, commit abc123, seeds 0, 1.' in text


def test_delta_m_has_the_deviation_of_the_seeds_own_gains(write_result: Write) -> None:
    each = [{'semseg/mIoU': miou, 'depth/relErr': 0.15, 'normals/mErr': 22.5} for miou in (51.0, 53.0)]
    runs = [{'seed': seed, 'scores': scores} for seed, scores in enumerate(each)]
    run = read_run(write_result(seeds=[0, 1], runs=runs) / 'result.json')
    tables = build_tables([*load_rows(), run], dataset='nyuv2-13', backbone='HRNet18', studies=False)
    gains = [100 / 3 * (miou / 49.23 - 1 + (1 - 0.15 / 0.1636) + (1 - 22.5 / 23.15)) for miou in (51.0, 53.0)]
    told = f'{statistics.fmean(gains):+.2f} ± {statistics.stdev(gains):.2f}'
    assert f'**{told}**' in markdown_row(to_markdown(tables), run.method)
    (line,) = [row for row in csv.DictReader(io.StringIO(to_csv(tables))) if row['method'] == run.method]
    assert float(line['delta_m std']) == pytest.approx(statistics.stdev(gains))


def test_a_run_with_a_null_score_has_an_empty_cell_and_no_gain(write_result: Write) -> None:
    scores = {'semseg/mIoU': None, 'depth/relErr': 0.15, 'normals/mErr': 22.5}
    run = read_run(write_result(scores=scores) / 'result.json')
    text = to_markdown(build_tables([*load_rows(), run], dataset='nyuv2-13', backbone='HRNet18', studies=False))
    cells = markdown_row(text, run.method)
    assert cells[3:7] == ['', '**0.1500**', '**22.50**', '']
    assert 'No delta_m: semseg/mIoU could not be computed' in text


def test_text_of_runs_and_baselines_is_escaped_everywhere(write_result: Write, tmp_path: Path) -> None:
    data = DATA | {'dataset': 'my *set*', 'of': None, 'setting': '<i>odd</i>'}
    folder = write_result(config=None, name='two\nlines | *x*', data=data, backbone='`Net`\n[a](b)')
    content = {
        'name': 'mine',
        'backbone': '`Net`\n[a](b)',
        'dataset': 'my *set*',
        'setting': '<i>odd</i>',
        'protocols': {'semseg': 'pooled-absent-skipped', 'depth': 'pixel-pooled', 'normals': 'arccos'},
        'scores': {'semseg': {'mIoU': 50}, 'depth': {'rmse': 0.5}, 'normals': {'mErr': 20}},
        'source': 'a\n\n# heading *b*',
    }
    (tmp_path / 'b.json').write_text(json.dumps(content))
    text = to_markdown(build_tables([read_run(folder / 'result.json')], baseline=str(tmp_path / 'b.json')))
    assert '## my \\*set\\*' in text and r'\<i>odd\</i>' in text
    assert r'**\`Net\` \[a\](b)** delta_m against mine: a # heading \*b\*.' in text
    assert r'| **two lines \| \*x\*** |' in text


def test_nothing_that_is_no_json_leaves(write_result: Write) -> None:
    run = replace(read_run(write_result() / 'result.json'), macs=math.nan)
    for write in (to_json, to_html):
        with pytest.raises(ValueError, match='JSON'):
            write(build_tables([run]))


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
