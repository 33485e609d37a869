"""Rows of fidelity: what is read, what is refused, and when a row fits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from mmengine.config import Config

from mtlbox.apis.complexity import Complexity
from mtlbox.leaderboard.fidelity import Counts, FidelityRow, complaints, misfits, read_fidelity

SOURCE = 'DeMT, AAAI 2023, results on NYUD-v2'
ROW = {'method': 'MTL', 'backbone': 'HRNet-W18-small-v2', 'config': 'mtl/mtl_hrnet18_nyud'}  # 4.52 M, 17.59 G


def read(path: Path, *rows: dict[str, Any], **paper: Any) -> list[FidelityRow]:
    content = {'source': SOURCE, 'products': False, 'code': 'the same', 'rows': list(rows), **paper}
    path.write_text(yaml.safe_dump({'papers': [content]}))
    return read_fidelity(path)[0]


def counts(sizes: dict[str, tuple[float, float]], products: float = 0.0) -> Counts:
    """Counts that are given, in millions and 1e9, by the ``size`` of the options; '' is the config as it is."""

    def count(config: str, options: Mapping[str, Any]) -> Complexity:
        params, macs = sizes[options.get('size', '')]
        without = int(macs * 1e9)
        all_macs = without + int(products * 1e9)
        return Complexity(params=int(params * 1e6), macs=all_macs, macs_without_attention=without)

    return Counts(count=count, load=lambda config, options: Config())


def far_of(row: FidelityRow, params: float, macs: float, products: float = 0.0) -> dict[str, str]:
    return misfits(row, counts({'': (params, macs)}, products).figures(row))


def test_a_row_has_the_figures_of_the_leaderboard(tmp_path: Path) -> None:
    (row,) = read(tmp_path / 'rows.yml', ROW)
    assert (row.figures(), row.code, row.products) == ({'params': 4.52, 'macs': 17.59}, 'the same', False)


@pytest.mark.parametrize(
    ('params', 'macs', 'found'),
    [
        (4.52, 17.59, {}),
        (4.56, 18.4, {}),
        (4.48, 16.8, {}),
        (4.57, 17.59, {'params': r'4\.570 M parameters, 4\.52 are printed: \+1\.1%'}),
        (4.47, 17.59, {'params': r'4\.470 M parameters, .* -1\.1%'}),
        (4.52, 18.5, {'macs': r'18\.500 GMACs, 17\.59 are printed: \+5\.2%'}),
        (4.6, 16.0, {'params': 'M parameters', 'macs': 'GMACs'}),
    ],
)
def test_when_a_row_fits(tmp_path: Path, params: float, macs: float, found: dict[str, str]) -> None:
    (row,) = read(tmp_path / 'rows.yml', ROW)
    told = far_of(row, params, macs)
    assert set(told) == set(found)
    for quantity, pattern in found.items():
        assert re.search(pattern, told[quantity]), told


def test_products_count_where_the_paper_counts_them(tmp_path: Path) -> None:
    (row,) = read(tmp_path / 'rows.yml', ROW)
    assert far_of(row, 4.52, 16.0, products=1.5)
    (row,) = read(tmp_path / 'rows.yml', ROW, products=True)
    assert not far_of(row, 4.52, 16.0, products=1.5)


TABLE_1 = {'source': 'CTAL, WACV 2025, Table 1', 'reference': 'stl/stl_hrnet18_nyuv2-13', 'products': True}


@pytest.mark.parametrize(('params', 'found'), [(34.6, set()), (35.0, {'params'})])
def test_relative_sizes(tmp_path: Path, params: float, found: set[str]) -> None:
    mtl = {'method': 'MTL', 'config': 'mtl/mtl_hrnet18_nyuv2-13', 'relative': 0.346}
    (row,) = read(tmp_path / 'rows.yml', mtl, **TABLE_1)
    assert set(row.figures()) == {'relative', 'macs'}  # the parameters of the leaderboard are our own count
    sizes = {row.config: params, row.reference: 100.0}
    by_config = Counts(
        count=lambda config, _: Complexity(params=int(sizes[config] * 1e6), macs=int(42e9 / 8)),
        load=lambda config, _: Config(),
    )
    told = misfits(row, by_config.figures(row))
    assert set(told) == found
    assert 'params' not in told or told['params'] == f'0.350 of {row.reference}, 0.346 are printed: +1.2%'


UNKNOWN: dict[str, Any] = {
    'why': 'counting tool unknown',
    'readings': [{'name': 'another', 'options': {'size': 'other'}}],
}
OPEN = {**UNKNOWN, 'open': True}
GUESS = {**UNKNOWN, 'readings': [{**UNKNOWN['readings'][0], 'guess': True}]}
TYPO = {'why': 'published typo', 'corrected': 'another column'}


@pytest.mark.parametrize(
    ('reasons', 'ours', 'other', 'found'),
    [
        ({}, (4.52, 17.59), (1, 1), ''),
        ({}, (4.6, 17.59), (1, 1), 'M parameters.*without a reason'),
        ({'macs': UNKNOWN}, (4.52, 20.0), (1, 17.6), ''),
        ({'macs': UNKNOWN}, (4.6, 20.0), (4.52, 17.6), 'M parameters.*without a reason'),
        ({'params': UNKNOWN}, (4.6, 20.0), (4.52, 17.6), 'GMACs.*without a reason'),
        ({'params': UNKNOWN, 'macs': UNKNOWN}, (4.6, 20.0), (4.52, 17.6), ''),
        ({'params': UNKNOWN, 'macs': UNKNOWN}, (4.6, 20.0), (4.7, 17.6), 'M parameters.*no reading comes near'),
        ({'macs': UNKNOWN}, (4.52, 17.6), (4.52, 17.6), 'macs fits, so that "counting tool unknown" is no reason'),
        ({'macs': OPEN}, (4.52, 20.0), (4.52, 19.0), ''),
        ({'macs': OPEN}, (4.52, 20.0), (4.52, 17.6), "macs: not open, 'another' comes near"),
        ({'macs': GUESS}, (4.52, 20.0), (4.52, 17.6), 'no reading comes near'),
        ({'macs': {**GUESS, 'open': True}}, (4.52, 20.0), (4.52, 17.6), ''),
        ({'params': TYPO}, (4.52, 17.6), (1, 1), ''),
        ({'params': TYPO}, (4.6, 17.6), (1, 1), 'although it is corrected'),
    ],
)
def test_a_reason_is_of_one_quantity(
    tmp_path: Path, reasons: dict[str, Any], ours: tuple[float, float], other: tuple[float, float], found: str
) -> None:
    (row,) = read(tmp_path / 'rows.yml', {**ROW, 'reasons': reasons})
    told = complaints(row, counts({'': ours, 'other': other}))
    assert len(told) == bool(found)
    assert re.search(found, ''.join(told)), told


def with_reason(reason: dict[str, Any]) -> dict[str, Any]:
    return {**ROW, 'reasons': {'macs': reason}}


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        (with_reason({**TYPO, 'why': 'published typos'}), r"'published typos' is not .*Did you mean 'published typo'"),
        (with_reason({'why': 'published typo'}), r"'published typo' is shown by readings or by what was corrected"),
        (with_reason({**UNKNOWN, **TYPO}), r'one of the two'),
        (with_reason({**OPEN, 'opne': True}), r"unknown key 'opne'.*Did you mean 'open'"),
        (with_reason({**UNKNOWN, 'readings': [{'nmae': 'x'}]}), r"unknown key 'nmae'.*Did you mean 'name'"),
        ({**ROW, 'reasons': {'parms': TYPO}}, r"reasons: unknown key 'parms'.*Did you mean 'params'"),
        ({**ROW, 'resaons': {}}, r"unknown key 'resaons'.*Did you mean 'reasons'"),
        ({**ROW, 'method': 'MLT'}, r'names 0 of the rows .*MTL \(HRNet-W18-small-v2\)'),
        ({'method': 'MTL', 'config': 'x'}, r'names 3 of the rows'),
        (
            with_reason({**UNKNOWN, 'readings': [{'name': 'x', 'counter': 'frist-axis'}]}),
            r"unknown counter 'frist-axis'.*first-axis",
        ),
    ],
    ids=str,
)
def test_wrong_rows(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path / 'rows.yml', row)


def test_a_config_with_the_same_options_is_there_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'mtl/mtl_hrnet18_nyud with \{\} is there twice'):
        read(tmp_path / 'rows.yml', ROW, ROW)
