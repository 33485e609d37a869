from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest

from mtlbox.evaluation.seeds import combine_seeds

RESULT = {'config': 'c.py', 'commit': 'a', 'backbone': 'B', 'protocols': {'semseg': 'p'}, 'data': None, 'seed': 0}


def write(folder: Path, seed: int, values: dict, /, **changes: object) -> Path:
    path = folder / f'{seed}.json'
    path.write_text(json.dumps({**RESULT, 'seed': seed, 'scores': values, **changes}))
    return path


def test_mean_and_sample_deviation(tmp_path: Path) -> None:
    values = {0: 40.0, 1: 41.0, 7: 45.0}
    combined = combine_seeds(
        {seed: write(tmp_path, seed, {'semseg/mIoU': value, 'delta_m': None}) for seed, value in values.items()}
    )
    assert combined['seeds'] == [0, 1, 7]
    assert combined['scores'] == {'semseg/mIoU': pytest.approx(42.0), 'delta_m': None}
    assert combined['std'] == {'semseg/mIoU': pytest.approx(statistics.stdev(values.values())), 'delta_m': None}
    assert combined['commit'] == 'a' and combined['protocols'] == {'semseg': 'p'} and 'seed' not in combined
    assert [run['scores']['semseg/mIoU'] for run in combined['runs']] == [40, 41, 45]


def test_one_seed_has_no_deviation(tmp_path: Path) -> None:
    combined = combine_seeds({3: write(tmp_path, 3, {'semseg/mIoU': 40.0})})
    assert combined['scores'] == {'semseg/mIoU': 40.0} and combined['std'] == {'semseg/mIoU': None}


def test_commits_are_all_named(tmp_path: Path) -> None:
    paths = {seed: write(tmp_path, seed, {'x': 1.0}, commit=commit) for seed, commit in ((0, 'a'), (1, 'b'))}
    assert combine_seeds(paths)['commit'] == ['a', 'b']


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'protocols': {'semseg': 'q'}}, r"0.json and .*1.json differ in 'protocols'"),
        ({'config': 'd.py'}, r"differ in 'config' \('c.py' and 'd.py'\)"),
        ({'scores': {'y': 1}}, r"have different scores: \['x'\] and \['y'\]"),
        ({'scores': None}, r'1.json has no scores'),
        ({'scores': {'x': float('nan')}}, r'1.json: scores.x must be a number or null, but is nan'),
        ({'scores': {'x': 'high'}}, r"1.json: scores.x must be a number or null, but is 'high'"),
        ({'seed': 2}, r'1.json is of the seed 2, not 1'),
        ({'world_size': 2}, r"differ in 'world_size' \(None and 2\)"),
        ({'model': 'STL'}, r"differ in 'model'"),
        ({'parameters': 3}, r"differ in 'parameters'"),
        ({'baseline': {'name': 'b'}}, r"differ in 'baseline'"),
    ],
)
def test_runs_of_different_experiments_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    paths = {0: write(tmp_path, 0, {'x': 1.0}), 1: write(tmp_path, 1, {'x': 1.0}, **changes)}
    with pytest.raises(ValueError, match=message):
        combine_seeds(paths)


def test_nothing_and_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='no result'):
        combine_seeds({})
    (tmp_path / 'a.json').write_text('{')
    with pytest.raises(ValueError, match=r'a\.json is not valid JSON'):
        combine_seeds({0: tmp_path / 'a.json'})
