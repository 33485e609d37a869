"""Single-task baselines, which delta_m compares with.

mtlbox ships the published ones (``list_baselines``): the rows of ``mtlbox/leaderboard/data`` that are named as a
``baseline``. One of your own is a JSON file with the keys of ``Baseline``, written from the ``result.json`` of a
single-task run by ``tools/analysis_tools/make_baseline.py``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from mtlbox.evaluation.protocols import canonical_name
from mtlbox.leaderboard.names import canonical_backbone, canonical_dataset
from mtlbox.leaderboard.rows import load_rows
from mtlbox.registry import did_you_mean

FOLDER = Path(__file__).parent / 'baselines'

HOW_TO_MAKE = (
    'To make one, train the single-task (STL) config of the same backbone, data set and protocols '
    '(configs/stl/stl_BACKBONE_DATASET.py, or your config with model.type=STL), then run: '
    'python tools/analysis_tools/make_baseline.py WORK_DIR/result.json NAME --out FILE, and set baseline=FILE'
)


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Scores of single-task networks.

    Attributes:
        name: Name of the baseline.
        backbone: Backbone that every network has.
        dataset: Data set on which they were trained and evaluated.
        protocols: Protocol of each task.
        scores: Scores of each task by name, e.g. ``{'semseg': {'mIoU': 49.23}}``.
        source: Paper and table, or config, commit and seed.
        setting: What sets the data apart, as in the ``data.setting`` of a ``result.json``; '' for nothing.
    """

    name: str
    backbone: str
    dataset: str
    protocols: dict[str, str]
    scores: dict[str, dict[str, float]]
    source: str
    setting: str = ''


@cache
def published_baselines() -> dict[str, Baseline]:
    """The single-task rows of published tables, by name."""
    found = {}
    for row in load_rows():
        if row.baseline:
            scores: dict[str, dict[str, float]] = {}
            for column, value in row.scores.items():
                task, _, score = column.partition('/')
                scores.setdefault(task, {})[score] = value
            found[row.baseline] = Baseline(
                name=row.baseline,
                backbone=row.backbone,
                dataset=row.dataset,
                setting=row.setting,
                protocols=dict(row.protocols),
                scores=scores,
                source=f'{row.source}, row {row.method}: published, one network per task. {row.note}'.strip(),
            )
    return found


def list_baselines() -> list[str]:
    """Names of the baselines that mtlbox ships."""
    return sorted(published_baselines().keys() | {path.stem for path in FOLDER.glob('*.json')})


def find_baselines(dataset: str, backbone: str, protocols: Mapping[str, str], setting: str = '') -> list[Baseline]:
    """The shipped baselines that a network can be compared with.

    Args:
        dataset: Data set of the network, by any of its names.
        backbone: Its backbone, by any of its names.
        protocols: Protocol of each of its tasks.
        setting: What sets its data apart.

    Returns:
        Baselines of the same data set and backbone that have all these tasks under these protocols.
    """
    wanted = canonical_dataset(dataset), canonical_backbone(backbone), setting
    return [
        baseline
        for baseline in map(load_baseline, list_baselines())
        if (canonical_dataset(baseline.dataset), canonical_backbone(baseline.backbone), baseline.setting) == wanted
        and protocols.items() <= baseline.protocols.items()
    ]


def load_baseline(name: str) -> Baseline:
    """Read a baseline.

    Args:
        name: Name of a shipped baseline, or the path of a file (it ends in '.json').

    Raises:
        FileNotFoundError: If there is none; the message says which are near and how to make one.
        ValueError: If the file is no valid baseline; the message names the file and the key.
    """
    if name in published_baselines():
        return published_baselines()[name]
    path = Path(name) if str(name).endswith('.json') else FOLDER / f'{name}.json'
    if not path.is_file():
        near = '' if str(name).endswith('.json') else did_you_mean(str(name), list_baselines())
        raise FileNotFoundError(f'there is no baseline {str(name)!r}.{near} {HOW_TO_MAKE}.')
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is not valid JSON: {error}') from error
    return _checked(content, str(path))


def write_baseline(
    path: str | Path,
    result_json: str | Path,
    *,
    name: str,
    backbone: str | None = None,
    dataset: str | None = None,
) -> Baseline:
    """Write the baseline that a finished single-task run is.

    Args:
        path: File to write, ending in '.json'.
        result_json: ``result.json`` of the run. Its ``scores`` (``{'semseg/mIoU': 49.2, ...}``) and ``protocols``
            (``{'semseg': 'pooled-absent-skipped', ...}``) are taken, and ``config``, ``commit`` and ``seed`` for the
            source.
        name: Name of the baseline.
        backbone: Its backbone; the result's ``backbone`` if not given.
        dataset: Its data set; the result's ``data.dataset`` if not given.

    Returns:
        What was written.

    Raises:
        FileNotFoundError: If there is no such result.
        ValueError: If the result lacks what is needed, is of a replica, a part of the data or a multi-task network, or
            ``path`` does not end in '.json'.
    """
    if Path(path).suffix != '.json':
        raise ValueError(f'{path}: a baseline file must end in .json')
    try:
        result = json.loads(Path(result_json).read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{result_json} is not valid JSON: {error}') from error
    lacking = [key for key in ('scores', 'protocols') if not isinstance(result.get(key), dict) or not result[key]]
    data = result.get('data') or {}
    if data.get('replica'):
        raise ValueError(
            f'{result_json} is of a replica (rendered rooms): what it scores is no baseline of {data["dataset"]}'
        )
    if data.get('of') not in (None, data.get('samples')):
        raise ValueError(f'{result_json} scores {data["samples"]} samples of {data["of"]}: a part is no baseline')
    if result.get('model') not in (None, 'STL'):
        raise ValueError(
            f'{result_json} is of a {result["model"]}, but a baseline is of single-task networks: train an STL config'
        )
    known = {'backbone': backbone or result.get('backbone'), 'dataset': dataset or data.get('dataset')}
    for key, value in known.items():
        if not value:
            lacking.append(f'{key} (give it as an argument)')
    if lacking:
        raise ValueError(f'{result_json} has no {", ".join(lacking)}: expected the result.json of a finished run')
    scores: dict[str, dict[str, float]] = {}
    for key, value in result['scores'].items():
        task, _, score = key.partition('/')
        if task in result['protocols'] and score and _is_number(value):
            scores.setdefault(task, {})[score] = value
    origin = ', '.join(
        f'{key} {result[key]}' for key in ('config', 'commit', 'seed', 'seeds') if result.get(key) is not None
    )
    content = {
        'name': name,
        **known,
        'protocols': {task: result['protocols'][task] for task in scores},
        'scores': scores,
        'source': origin or str(result_json),
        **({'setting': data['setting']} if data.get('setting') else {}),
    }
    baseline = _checked(content, str(result_json))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    stored = {key: value for key, value in asdict(baseline).items() if value}
    Path(path).write_text(json.dumps(stored, indent=2) + '\n', encoding='utf-8')
    return baseline


def _checked(content: Any, where: str) -> Baseline:
    """``content`` as a baseline, or a ValueError that names ``where`` and the wrong key."""
    keys = [field.name for field in fields(Baseline)]
    if not isinstance(content, Mapping):
        raise ValueError(f'{where}: expected a JSON object with the keys {keys}')
    for key in content:
        if key not in keys:
            raise ValueError(f'{where}: unknown key {key!r}.{did_you_mean(str(key), keys)}')
    for key in keys:
        kind = dict if key in ('protocols', 'scores') else str
        if key == 'setting' and content.get(key, '') == '':
            continue
        if not isinstance(content.get(key), kind) or not content[key]:
            raise ValueError(f'{where}: key {key!r} must be a non-empty {kind.__name__}, got {content.get(key)!r}')
    if set(content['scores']) != set(content['protocols']):
        raise ValueError(
            f'{where}: scores are given for {sorted(content["scores"])} and protocols for '
            f'{sorted(content["protocols"])}: expected the same tasks'
        )
    protocols: dict[str, str] = {}
    for task, protocol in content['protocols'].items():
        try:
            protocols[task] = canonical_name(protocol)
        except ValueError as error:
            raise ValueError(f'{where}: protocols.{task}: {error}') from error
    for task, scores in content['scores'].items():
        if not isinstance(scores, Mapping) or not scores:
            raise ValueError(f'{where}: scores.{task} must map score names to numbers, got {scores!r}')
        for score, value in scores.items():
            if not _is_number(value):
                raise ValueError(f'{where}: scores.{task}.{score} must be a finite number, got {value!r}')
    return Baseline(**{**content, 'protocols': protocols, 'scores': {t: dict(s) for t, s in content['scores'].items()}})


def _is_number(value: Any) -> bool:
    """Whether ``value`` is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
