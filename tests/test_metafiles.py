"""The metafiles name every config, and say what the configs say."""

from __future__ import annotations

import argparse
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from mmengine.config import DictAction

from mtlbox.apis.complexity import build_for_counting
from mtlbox.config import load_config
from mtlbox.leaderboard import Row, load_rows
from mtlbox.leaderboard.fidelity import REASONS, read_fidelity

ROOT = Path(__file__).parents[1]
METAFILES = sorted(ROOT.glob('configs/*/metafile.yml'))
CONFIGS = sorted(path for path in ROOT.glob('configs/*/*.py') if path.parent.name != '_base_')
TABLE = re.compile(
    r'Table \d+|table of Cityscapes|(?:results|ablation) on [\w-]+|ablation of the backbone|few-shot [a-z ]+'
)
HEADER_SCORE = re.compile(r'\b(mIoU|rmse|relErr|mErr|odsF|maxF|edgeLoss|delta_m) ([+-]?[\d.]*\d)')


@cache
def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def models() -> list[Any]:
    return [pytest.param(model, id=model['Name']) for path in METAFILES for model in read(path)['Models']]


def ablations() -> list[Any]:
    return [
        pytest.param(model.values[0], row, id=f'{model.id}: {row["Name"]}')
        for model in models()
        for row in model.values[0].get('Ablations', [])
    ]


def published(model: dict[str, Any], dataset: str | None = None) -> dict[str, float]:
    """Return the scores of a model, on one of its data sets if it is named."""
    rows = [row for row in model.get('Results', []) if dataset is None or row['Dataset'] == dataset]
    return {name: value for row in rows for name, value in row['Metrics'].items()}


def data_of(model: dict[str, Any]) -> list[str]:
    data = model['Metadata']['Training Data']
    return data if isinstance(data, list) else [data]


def header(config: Path) -> str:
    """Return the comment that a config opens with, as one line."""
    lines = config.read_text().splitlines()
    end = next(i for i, line in enumerate(lines) if not line.startswith('#'))
    return ' '.join(line.lstrip('# ') for line in lines[:end])


def test_index_imports_every_metafile() -> None:
    assert METAFILES
    assert sorted(ROOT / path for path in read(ROOT / 'model-index.yml')['Import']) == METAFILES


def test_every_config_is_in_one_metafile_of_its_folder() -> None:
    named = [model.values[0]['Config'] for model in models()]
    assert sorted(named) == [str(path.relative_to(ROOT)) for path in CONFIGS]
    for path in METAFILES:
        assert {Path(model['Config']).parent for model in read(path)['Models']} == {path.parent.relative_to(ROOT)}


@pytest.mark.parametrize('path', METAFILES, ids=lambda path: path.parent.name)
def test_collections(path: Path) -> None:
    collections = {collection['Name']: collection for collection in read(path)['Collections']}
    assert {model['In Collection'] for model in read(path)['Models']} == set(collections)
    for collection in collections.values():
        readme = ROOT / collection['README']
        text = readme.read_text()
        assert collection['Paper']['URL'] in text
        for config in path.parent.glob('*.py'):
            assert f'`{config.name}`' in text, f'{readme} does not name {config.name}'


@pytest.mark.parametrize('model', models())
def test_model(model: dict[str, Any]) -> None:
    config = ROOT / model['Config']
    assert model['Name'] == config.stem
    assert model['Metadata']['Source']
    scores = published(model)
    quoted = dict(HEADER_SCORE.findall(header(config)))
    if 'another name of' not in model['Metadata']['Source']:
        assert {name: float(value) for name, value in quoted.items()} == pytest.approx(scores)
        assert bool(scores) != ('Nothing is published' in header(config))
    if scores:
        table = TABLE.search(model['Metadata']['Source'])
        assert table and (table[0] in header(config) or 'another name of' in model['Metadata']['Source'])


BASELINES = ('Concat', 'Global', 'STL', 'MTL', 'baseline')
"""What tables call rows that are not of the method whose folder the config is in."""
DATASETS = {'NYUv2': 'nyuv2-13', 'NYUD': 'nyud-40', 'Cityscapes': 'cityscapes-mtan', 'PASCAL-Context': 'pascal'}


def leaderboard_rows(model: dict[str, Any], metrics: dict[str, float], source: str, data: str) -> list[Row]:
    """The leaderboard's rows of the data, backbone and source of ``model`` that have all of ``metrics``.

    Names are those of scores alone, or ``{task}/{score}`` where several tasks have one score. Of a model of ``Tasks``,
    only these are compared.
    """
    meta = model['Metadata']
    tasks = meta.get('Tasks')

    def own(row: Row) -> dict[str, float]:
        kept = {name: value for name, value in row.scores.items() if not tasks or name.partition('/')[0] in tasks}
        return {name if by_task else name.rpartition('/')[2]: value for name, value in kept.items()}

    scores = {name: value for name, value in metrics.items() if name != 'delta_m'}
    by_task = any('/' in name for name in scores)
    return [
        row
        for row in load_rows()
        if (row.dataset, row.backbone, row.source) == (DATASETS[data], meta['Backbone'], source)
        and own(row) == scores
        and row.delta_m == metrics.get('delta_m')
    ]


@pytest.mark.parametrize('model', [m for m in models() if m.values[0].get('Results')])
def test_numbers_are_the_leaderboards(model: dict[str, Any]) -> None:
    several = len(data_of(model)) > 1
    for data in data_of(model):
        metrics = published(model, data if several else None)
        rows = leaderboard_rows(model, metrics, model['Metadata']['Source'].partition(';')[0], data)
        assert len(rows) == 1, 'the metafile and mtlbox/leaderboard/data disagree'
    assert rows[0].method.split(' ')[0] in (model['In Collection'], *BASELINES)
    assert model['Metadata'].get('Reason', REASONS[0]) in REASONS
    if rows[0].params is not None and 'Reason' not in model['Metadata']:
        assert abs(rows[0].params - model['Metadata']['Parameters'] / 1e6) <= rows[0].params.half_unit
    of_eight = model['Metadata'].get('Published', {}).get('GMACs of 8 Images')
    assert of_eight is None or rows[0].macs == of_eight / 8


def test_reasons_are_those_of_fidelity() -> None:
    by_config = {f'configs/{row.config}.py': row for row in read_fidelity(ROOT / 'tests/fidelity/rows.yml')[0]}
    of_params = {
        config: row.reasons['params'].why
        for config, row in by_config.items()
        if 'params' in row.reasons and not row.options and not row.reasons['params'].corrected
    }
    metas = {model.values[0]['Config']: model.values[0]['Metadata'] for model in models()}
    assert of_params
    assert of_params == {config: metas[config].get('Reason') for config in of_params}


@pytest.mark.parametrize(('model', 'row'), [a for a in ablations() if a.values[1]['Metrics']])
def test_ablations_are_the_leaderboards(model: dict[str, Any], row: dict[str, Any]) -> None:
    rows = leaderboard_rows(model, row['Metrics'], row['Source'], *data_of(model))
    assert [found.method for found in rows if found.variant == row['Name']], 'mtlbox/leaderboard/data disagrees'


STUDIED = ('CTAL', 'DeMT', 'MTFormer', 'TIF')
NO_CONFIG = {
    ('TIF, ACM MM 2024, Table 7', 'baseline'): 'what it is remains unknown',
    ('MTFormer, ECCV 2022, Table 12', 'w/o ZSL'): 'a network per data set: mtformer_swin-s_{nyud,pascal}, w/o CL',
}
"""Rows of ablations that are no config or option, and why."""
AS_CONFIG = {
    ('DeMT, AAAI 2023, ablation of the modules', 'baseline'): 'mtl_swin-t_nyud',
    ('MTFormer, ECCV 2022, ablation on NYUD-v2', 'full'): 'mtformer_swin-s_nyud',
    ('MTFormer, ECCV 2022, ablation on PASCAL-Context', 'full'): 'mtformer_swin-s_pascal',
}
"""Rows that are a config whose numbers are named by another table."""


def test_every_row_of_an_ablation_is_a_config_or_options() -> None:
    """Of the papers here, each row of a study is the result of a config, or one of its ablations."""
    named = []
    for model in (m.values[0] for m in models()):
        several = len(data_of(model)) > 1
        scores = [published(model, data if several else None) for data in data_of(model)]
        named += [(model, metrics, model['Metadata']['Source']) for metrics in scores]
    named += [(model, row['Metrics'], row['Source']) for model, row in (a.values for a in ablations())]
    known = {
        (row.source, row.method, row.variant)
        for model, metrics, source in named
        if metrics
        for data in data_of(model)
        for row in leaderboard_rows(model, metrics, source.partition(';')[0], data)
    }
    rows = [row for row in load_rows() if row.study and row.source.startswith(STUDIED)]
    left = {(r.source, r.variant) for r in rows if (r.source, r.method, r.variant) not in known}
    assert left == {*NO_CONFIG, *AS_CONFIG}
    assert {*AS_CONFIG.values()} <= {model.id for model in models()}


@pytest.mark.parametrize('model', [m for m in models() if 'Parameters' in m.values[0]['Metadata']])
def test_parameters(model: dict[str, Any]) -> None:
    config = ROOT / model['Config']
    built = build_for_counting(load_config(config).model)
    count = sum(parameter.numel() for parameter in built.parameters())
    assert count == model['Metadata']['Parameters']
    stated = re.search(r'Size: ([\d.]+) M parameters', header(config))
    if stated:
        assert stated[1] == f'{count / 1e6:.3f}'


def test_aliases_have_the_results_of_what_they_name() -> None:
    by_name = {model.id: model.values[0] for model in models()}
    aliases = [m for m in by_name.values() if 'another name of' in m['Metadata']['Source']]
    assert aliases
    for model in aliases:
        target = by_name[model['Metadata']['Source'].rpartition(' ')[2]]
        assert published(model) == published(target)
        assert load_config(ROOT / model['Config']).model == load_config(ROOT / target['Config']).model


@pytest.mark.parametrize(('model', 'row'), ablations())
def test_ablation_options_are_accepted(model: dict[str, Any], row: dict[str, Any]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    options = parser.parse_args(['--cfg-options', *row['Options'].split()]).cfg_options
    cfg = load_config(ROOT / model['Config'], options)
    for key, value in options.items():
        node = cfg
        for part in key.split('.'):
            node = node[part]
        assert node == value
    assert row['Source']
    assert {name.rpartition('/')[2] for name in row['Metrics']} <= {
        'mIoU',
        'rmse',
        'relErr',
        'mErr',
        'odsF',
        'delta_m',
    }
    if cfg.pretty_text == load_config(ROOT / model['Config']).pretty_text:  # the row of the config as it is
        assert row['Metrics'] and row['Metrics'].items() <= published(model).items()
