from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtlbox.apis.tables import replace_between
from mtlbox.apis.trivial import score_trivial
from mtlbox.config import load_config
from mtlbox.evaluation import load_baseline
from mtlbox.leaderboard import load_rows
from mtlbox.leaderboard.runs import find_results, read_run
from mtlbox.leaderboard.tables import build_tables
from mtlbox.leaderboard.text import to_markdown

DOCS = Path(__file__).parents[2] / 'docs'
PAGE = DOCS / 'leaderboards.md'


def test_page_is_up_to_date() -> None:
    fresh = to_markdown(build_tables(load_rows()))
    assert replace_between(PAGE, 'leaderboard', fresh, check=True), (
        'python tools/leaderboard.py --update docs/leaderboards.md'
    )
    assert '| TIF |' in PAGE.read_text()


def test_our_results_are_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DOCS.parent)
    rows = [*load_rows(), *(read_run(path) for path in find_results(['docs/results/rooms']))]
    fresh = to_markdown(build_tables(rows, dataset='rooms'))
    command = 'python tools/leaderboard.py docs/results/rooms --dataset rooms --update docs/rooms.md'
    assert replace_between(DOCS / 'rooms.md', 'leaderboard', fresh, check=True), command


def test_the_baseline_is_our_single_task_result() -> None:
    ours, baseline = read_run(DOCS / 'results/rooms/stl/result.json'), load_baseline('rooms_efficientnet-lite0')
    assert (ours.setting, ours.protocols) == (baseline.setting, baseline.protocols)
    for score, value in ours.scores.items():
        task, _, name = score.partition('/')
        assert baseline.scores[task][name] == value


@pytest.mark.parametrize('method', ['stl', 'mtl', 'ctal', 'demt', 'mtformer', 'tif'])
def test_every_method_has_learnt_rooms(method: str) -> None:
    """At least 3 times the mIoU of constants and at most 0.6 of their errors, with every seed."""
    trivial = score_trivial(load_config(DOCS.parent / f'configs/{method}/{method}_efficientnet-lite0_rooms.py'))
    page = (DOCS / 'rooms.md').read_text()
    assert f'mIoU {trivial["semseg/mIoU"]:.2f}, relErr {trivial["depth/relErr"]:.3f}, rmse\n' in page
    assert f'{trivial["depth/rmse"]:.3f} m, mErr {trivial["normals/mErr"]:.1f} degrees' in page
    runs = json.loads((DOCS / f'results/rooms/{method}/result.json').read_text())['runs']
    assert len(runs) == 3
    for scores in (run['scores'] for run in runs):
        assert scores['semseg/mIoU'] >= 3 * trivial['semseg/mIoU']
        assert all(scores[error] <= 0.6 * trivial[error] for error in ('depth/rmse', 'normals/mErr'))
