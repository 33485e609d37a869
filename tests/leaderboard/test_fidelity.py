"""Rows of fidelity: what is read, what is refused, and when a row fits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtlbox.apis.complexity import Complexity
from mtlbox.leaderboard.fidelity import FidelityRow, misfits, read_fidelity

SOURCE = 'DeMT, AAAI 2023, results on NYUD-v2'
ROW = {'method': 'MTL', 'backbone': 'HRNet-W18-small-v2', 'config': 'mtl/mtl_hrnet18_nyud'}  # 4.52 M, 17.59 G


def read(path: Path, *rows: dict[str, Any], **paper: Any) -> list[FidelityRow]:
    content = {'source': SOURCE, 'products': False, 'code': 'the same', 'rows': list(rows), **paper}
    path.write_text(yaml.safe_dump({'papers': [content]}))
    return read_fidelity(path)[0]


def counted(params: float, macs: float, products: float = 0.0) -> Complexity:
    without = int(macs * 1e9)
    return Complexity(params=int(params * 1e6), macs=without + int(products * 1e9), macs_without_attention=without)


def test_a_row_has_the_figures_of_the_leaderboard(tmp_path: Path) -> None:
    (row,) = read(tmp_path / 'rows.yml', ROW)
    assert (row.params, row.printed.macs, row.code, row.products) == (4.52, 17.59, 'the same', False)


@pytest.mark.parametrize(
    ('params', 'macs', 'found'),
    [
        (4.52, 17.59, []),
        (4.56, 18.4, []),
        (4.48, 16.8, []),
        (4.57, 17.59, [r'4\.570 M parameters, 4\.52 are printed: \+1\.1%']),
        (4.47, 17.59, [r'4\.470 M parameters, .* -1\.1%']),
        (4.52, 18.5, [r'18\.500 GMACs, 17\.59 are printed: \+5\.2%']),
        (4.6, 16.0, ['M parameters', 'GMACs']),
    ],
)
def test_when_a_row_fits(tmp_path: Path, params: float, macs: float, found: list[str]) -> None:
    (row,) = read(tmp_path / 'rows.yml', ROW)
    told = misfits(row, counted(params, macs))
    assert len(told) == len(found)
    for text, pattern in zip(told, found):
        assert re.search(pattern, text), text


def test_products_count_where_the_paper_counts_them(tmp_path: Path) -> None:
    ours = counted(4.52, 16.0, products=1.5)
    (row,) = read(tmp_path / 'rows.yml', ROW)
    assert misfits(row, ours)
    (row,) = read(tmp_path / 'rows.yml', ROW, products=True)
    assert not misfits(row, ours)


def test_relative_sizes(tmp_path: Path) -> None:
    paper = {'source': 'CTAL, WACV 2025, Table 1', 'reference': 'stl/stl_hrnet18_nyuv2-13', 'products': True}
    mtl = {'method': 'MTL', 'config': 'mtl/mtl_hrnet18_nyuv2-13', 'relative': 0.346}
    (row,) = read(tmp_path / 'rows.yml', mtl, **paper)
    assert row.params is None  # what the leaderboard has is our own count
    assert not misfits(row, counted(34.6, 42 / 8), counted(100, 1))
    assert misfits(row, counted(35, 42 / 8), counted(100, 1)) == [
        '0.350 of stl/stl_hrnet18_nyuv2-13, 0.346 are printed: +1.2%'
    ]
    with pytest.raises(ValueError, match='a count of stl/stl_hrnet18_nyuv2-13 is needed'):
        misfits(row, counted(34.6, 42 / 8))


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ({**ROW, 'reason': 'published typos'}, r"'published typos' is not one of .*Did you mean 'published typo'"),
        ({**ROW, 'resaon': 'x'}, r"unknown key 'resaon'.*Did you mean 'reason'"),
        ({**ROW, 'method': 'MLT'}, r'names 0 of the rows .*MTL \(HRNet-W18-small-v2\)'),
        ({'method': 'MTL', 'config': 'x'}, r'names 3 of the rows'),
        ({**ROW, 'readings': [{'name': 'x', 'counter': 'frist-axis'}]}, r"unknown counter 'frist-axis'.*first-axis"),
    ],
    ids=str,
)
def test_wrong_rows(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path / 'rows.yml', row)


def test_a_config_with_the_same_options_is_there_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'mtl/mtl_hrnet18_nyud with \{\} is there twice'):
        read(tmp_path / 'rows.yml', ROW, ROW)
