"""Whatever stands in a result or baseline file: it is used, or an error names the file."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mtlbox.evaluation import load_baseline, write_baseline
from mtlbox.evaluation.seeds import combine_seeds
from mtlbox.leaderboard.html import to_html
from mtlbox.leaderboard.runs import read_run
from mtlbox.leaderboard.tables import build_tables
from mtlbox.leaderboard.text import to_csv, to_json, to_markdown

OTHERS: list[Any] = ['word', '', -1, 0.5, True, None, [], {}, ['x'], [None], {'a': None}, math.nan, math.inf, 10**400]
SCORES = {'semseg/mIoU': 50.0, 'depth/relErr': 0.1}
RESULT = {
    'name': 'n',
    'config': 'c/x.py',
    'commit': 'abc',
    'seed': 0,
    'model': 'STL',
    'backbone': 'HRNet-W18-small-v2',
    'parameters': 4,
    'macs': 5,
    'data': {'dataset': 'NYUv2', 'split': 'val', 'samples': 654, 'of': 654, 'replica': False, 'setting': ''},
    'protocols': {'semseg': 'pooled-absent-skipped', 'depth': 'pixel-pooled'},
    'primary': {'semseg': 'semseg/mIoU'},
    'baseline': {'name': 'b', 'source': 's', 'forced': ['r']},
    'iter': 3,
    'seeds': [0, 1],
    'scores': SCORES,
    'std': {'semseg/mIoU': 0.1},
    'runs': [{'seed': 0, 'scores': SCORES}, {'seed': 1, 'scores': SCORES}],
    'test': {'checkpoint': 'c.pth', 'ema': True},
}
BASELINE = {
    'name': 'b',
    'backbone': 'x',
    'dataset': 'y',
    'protocols': {'depth': 'pixel-pooled'},
    'scores': {'depth': {'rmse': 1.0}},
    'source': 'z',
    'setting': 's',
}


def keys(node: Any, above: tuple = ()) -> Iterator[tuple]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*above, key)
        yield from keys(value, (*above, key))


def damaged(content: dict[str, Any]) -> Iterator[Any]:
    """``content``, something else in its place, and copies in which one value is another or gone."""
    yield content
    yield from OTHERS
    for where in keys(content):
        for other in [*OTHERS, 'GONE']:
            changed = copy.deepcopy(content)
            node: Any = changed
            for key in where[:-1]:
                node = node[key]
            node[where[-1]] = other
            if other == 'GONE':
                del node[where[-1]]
            yield changed


def table(path: Path) -> None:
    tables = build_tables([read_run(path)])
    for write in (to_markdown, to_html, to_json, to_csv):
        write(tables)


@pytest.mark.parametrize(
    ('content', 'read'),
    [
        (RESULT, table),
        (RESULT, lambda path: write_baseline(path.with_name('out.json'), path, name='mine')),
        (RESULT, lambda path: combine_seeds({0: path})),
        (BASELINE, lambda path: load_baseline(str(path))),
    ],
    ids=['leaderboard', 'make_baseline', 'run_seeds', 'baseline'],
)
def test_every_damage_is_an_error_that_names_the_file(
    content: dict[str, Any], read: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / 'result.json'
    path.write_text(json.dumps(content))
    read(path)
    refused = 0
    for changed in damaged(content):
        path.write_text(json.dumps(changed))
        try:
            read(path)
        except ValueError as error:
            assert str(path) in str(error), changed
            refused += 1
    assert refused > len(OTHERS)
