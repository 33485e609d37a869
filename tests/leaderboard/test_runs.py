from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from mtlbox.leaderboard.runs import NOT_RECORDED, REPLICA, find_results, read_run

Write = Callable[..., Path]
DATA = {'dataset': 'NYUv2', 'split': 'val', 'samples': 654, 'of': 654, 'replica': False}


def test_a_run_is_a_row_of_the_scores_that_tables_have(write_result: Write) -> None:
    row = read_run(write_result() / 'result.json')
    assert (row.dataset, row.backbone, row.method) == ('nyuv2-13', 'HRNet-W18-small-v2', 'mine_hrnet18_nyuv2-13')
    assert row.ours and row.setting == '' and row.params == pytest.approx(4.086457)
    assert row.columns == ('semseg/mIoU', 'depth/rmse', 'normals/mErr')
    assert row.scores == {'semseg/mIoU': 52.0, 'depth/rmse': 0.6, 'depth/relErr': 0.15, 'normals/mErr': 22.5}
    assert row.source.endswith('run, commit abc123, seed 0') and row.macs is None and row.note == ''
    row = read_run(write_result('other', macs=9_500_000_000, iter=1400) / 'result.json')
    assert (row.macs, row.macs_counted) == (9.5, True)
    assert row.source.endswith('other, commit abc123, 1400 iterations, seed 0')


def test_runs_of_one_config_are_told_apart(write_result: Write) -> None:
    folder = write_result('a; b')
    assert read_run(folder / 'result.json').source == f'ours, {folder.parent / "a;b"}, commit abc123, seed 0'
    test = {'checkpoint': 'epoch_1.pth', 'iter': 1, 'ema': True}
    folder = write_result('tested', test=test, iter=1, seed=None)
    assert read_run(folder / 'result.json').source == (
        f'ours, {folder}, checkpoint epoch_1.pth (averaged weights), commit abc123, 1 iteration'
    )


def test_a_score_that_is_null_keeps_its_column(write_result: Write) -> None:
    row = read_run(write_result(scores={'semseg/mIoU': None, 'depth/rmse': 0.6, 'normals/mErr': 20}) / 'result.json')
    assert row.columns == ('semseg/mIoU', 'depth/rmse', 'normals/mErr') and row.missing == ('semseg/mIoU',)
    assert 'semseg/mIoU' not in row.scores and set(row.protocols) == {'semseg', 'depth', 'normals'}
    assert row.note == 'No delta_m: semseg/mIoU could not be computed (null in its result.json).'


def test_protocols_are_called_by_their_names(write_result: Write) -> None:
    protocols = {'semseg': 'pooled-absent-skipped', 'depth': 'pixel-pooled/>0', 'normals': 'arccos'}
    assert read_run(write_result(protocols=protocols) / 'result.json').protocols['depth'] == 'pixel-pooled'


def test_the_run_says_which_score_stands_for_a_task(write_result: Write) -> None:
    scores = {'semseg/mIoU': 50.0, 'depth/rmse': 0.5, 'depth/relErr': 0.2}
    protocols = {'semseg': 'pooled-absent-skipped', 'depth': 'pixel-pooled'}
    assert 'depth/rmse' in read_run(write_result('a', scores=scores, protocols=protocols) / 'result.json').columns
    primary = {'semseg': 'semseg/mIoU', 'depth': 'depth/relErr'}
    row = read_run(write_result('b', scores=scores, protocols=protocols, primary=primary) / 'result.json')
    assert set(row.columns) == {'semseg/mIoU', 'depth/relErr'}


def test_seeds(write_result: Write) -> None:
    row = read_run(write_result(seeds=[0, 1, 2], std={'semseg/mIoU': 0.25, 'depth/rmse': None}) / 'result.json')
    assert row.runs == 3 and row.std == {'semseg/mIoU': 0.25} and row.source.endswith('seeds 0, 1, 2')
    runs = [{'seed': seed, 'scores': {'semseg/mIoU': 50 + seed, 'x': None}} for seed in (0, 1)]
    row = read_run(write_result('more', seeds=[0, 1], runs=runs) / 'result.json')
    assert row.seed_scores == ({'semseg/mIoU': 50.0}, {'semseg/mIoU': 51.0})


@pytest.mark.parametrize(
    ('data', 'setting'),
    [
        (DATA | {'replica': True}, REPLICA),
        (DATA | {'samples': 3}, 'A part of the split val: 3 of 654 samples'),
        (DATA | {'of': None}, ''),
        (DATA | {'split': 'train', 'samples': 795, 'of': 795}, 'train split'),
        (DATA | {'split': 'train', 'samples': 795, 'of': 795, 'setting': 'train split'}, 'train split'),
        (DATA | {'of': None, 'setting': '200 scenes at 48x64'}, '200 scenes at 48x64'),
        (DATA | {'split': 'test', 'of': None, 'setting': '2 scenes at 48x64'}, 'test split, 2 scenes at 48x64'),
        (
            DATA | {'split': 'test', 'of': None, 'setting': 'test split, 2 scenes at 48x64'},
            'test split, 2 scenes at 48x64',
        ),
        ('ABSENT', NOT_RECORDED),
    ],
)
def test_what_is_not_the_whole_real_data_is_set_apart(write_result: Write, data: object, setting: str) -> None:
    row = read_run(write_result(data=data) / 'result.json')
    assert (row.dataset, row.setting) == ('nyuv2-13', setting)


def test_few_labels_are_set_apart(write_result: Write) -> None:
    kept = {'depth': {'samples': 40, 'of': 795, 'by': [{'count': 40}], 'digest': 'x'}}
    few = read_run(write_result('few', trained_on=DATA | {'labelled': kept}) / 'result.json')
    assert few.setting == 'Trained with labels of depth on 40 of 795 samples'
    both = read_run(
        write_result('both', trained_on=DATA | {'labelled': kept}, data=DATA | {'replica': True}) / 'result.json'
    )
    assert both.setting == f'{REPLICA}; {few.setting}'
    assert read_run(write_result('all', trained_on=DATA) / 'result.json').setting == ''
    part = DATA | {'split': 'train', 'samples': 10, 'of': 795}
    assert read_run(write_result('part', trained_on=part) / 'result.json').setting == 'Trained on 10 of 795 samples'


def test_a_forced_delta_m_is_told(write_result: Write) -> None:
    row = read_run(write_result(baseline={'name': 'b', 'forced': ['has the backbone A', 'is of B']}) / 'result.json')
    assert row.note == 'The delta_m in its result.json was forced: the baseline b has the backbone A; it is of B.'


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'scores': {}}, 'has no scores'),
        ({'protocols': 'ABSENT'}, 'has no protocols'),
        ({'scores': {'semseg/mIoU': 'high'}}, "scores.semseg/mIoU must be a number or null, but is 'high'"),
        ({'scores': {'semseg/mIoU': None}}, 'has none of the scores of published tables'),
        ({'data': None, 'config': 'mine.py'}, 'does not say on which data'),
        ({'scores': {'semseg/mIoU': 10**400}}, 'scores.semseg/mIoU must be a number or null, but is 1000'),
        ({'std': {'semseg/mIoU': math.inf}}, 'std.semseg/mIoU must be a number or null'),
        ({'parameters': '4M'}, "parameters must be a number, 0 at least, or null, but is '4M'"),
        ({'macs': math.nan}, 'macs must be a number, 0 at least, or null'),
        ({'macs': 10**400}, 'macs must be a number'),
        ({'parameters': True}, 'parameters must be a number'),
        ({'seeds': 3}, 'seeds must be a list, but is 3'),
        ({'seeds': ['a']}, 'seeds must be a list of whole numbers'),
        ({'seed': '0'}, "seed must be a whole number, but is '0'"),
        ({'runs': [3], 'seeds': [0, 1]}, 'runs.0 must be keys and values'),
        ({'name': 3}, 'name must be a text, but is 3'),
        ({'config': ['a']}, 'config must be a text'),
        ({'primary': ['a']}, 'primary must be keys and values'),
        ({'backbone': 3}, 'backbone must be a text'),
        ({'data': 'NYUv2'}, "data must be keys and values, but is 'NYUv2'"),
        ({'data': DATA | {'dataset': 3}}, 'data: dataset must be a text, but is 3'),
        ({'data': DATA | {'setting': 3}}, 'data: setting must be a text, but is 3'),
        ({'data': DATA | {'samples': '654'}}, 'data: samples must be a whole number'),
        ({'baseline': 'b'}, 'baseline must be keys and values'),
        ({'baseline': {'forced': 'so'}}, 'baseline: forced must be a list'),
        ({'commit': 3}, 'commit must be a text or a list'),
        ({'test': 3}, 'test must be keys and values'),
        ({'protocols': {'semseg': ['x']}}, r"protocols.semseg must be a text, but is \['x'\]"),
        (
            {'protocols': {'semseg': 'pooled-absent-skiped'}},
            "protocols.semseg: 'pooled-absent-skiped' is not a known protocol. Did you mean 'pooled-absent-skipped'",
        ),
    ],
)
def test_a_bad_result_is_named(write_result: Write, changes: dict, message: str) -> None:
    path = write_result(**changes) / 'result.json'
    with pytest.raises(ValueError, match=message) as error:
        read_run(path)
    assert str(path) in str(error.value)


def test_no_json(tmp_path: Path) -> None:
    (tmp_path / 'result.json').write_text('{')
    with pytest.raises(ValueError, match=r'result.json is not valid JSON'):
        read_run(tmp_path / 'result.json')
    (tmp_path / 'result.json').write_text('[' * 100_000)
    with pytest.raises(ValueError, match=r'result.json is not valid JSON'):
        read_run(tmp_path / 'result.json')
    (tmp_path / 'result.json').write_text('[3]')
    with pytest.raises(ValueError, match=r"result.json holds '\[3\]'"):
        read_run(tmp_path / 'result.json')


def test_results_are_found_once_and_not_below_others(write_result: Write, tmp_path: Path) -> None:
    one, other = write_result('all/one'), write_result('all/other')
    write_result('all/one/test')
    assert find_results([tmp_path / 'all', one, one / 'result.json']) == [one / 'result.json', other / 'result.json']
    assert find_results([one / 'test']) == [one / 'test' / 'result.json']


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'there is no .*nowhere'):
        find_results([tmp_path / 'nowhere'])
    with pytest.raises(FileNotFoundError, match=r'has no result.json'):
        find_results([tmp_path])
