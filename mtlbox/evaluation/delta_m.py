"""Single-task baselines, which delta_m compares with.

mtlbox ships the published ones (``list_baselines``): the rows of ``mtlbox/leaderboard/data`` that are named as a
``baseline``. One of your own is a JSON file with the keys of ``Baseline``, written from the ``result.json`` of a
single-task run by ``tools/analysis_tools/make_baseline.py``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from mtlbox.evaluation.metrics import TaskMetric
from mtlbox.evaluation.protocols import PROTOCOLS, canonical_name
from mtlbox.leaderboard.names import canonical_backbone, canonical_dataset
from mtlbox.leaderboard.results import expect, finite, read_result, setting_of
from mtlbox.leaderboard.rows import load_rows
from mtlbox.registry import METRICS, did_you_mean
from mtlbox.tasks import usual_tasks

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
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is not valid JSON: {error}') from error
    return _checked(content, str(path))


def named_or_auto(name: str | None, protocols: Mapping[str, str], backbone: str | None = None) -> str | None:
    """The baseline that a config names, where it fits other protocols or another backbone than the config's too.

    Args:
        name: ``baseline`` of the config's evaluator.
        protocols: Protocol of each task.
        backbone: The backbone, where it is not the config's.

    Returns:
        ``name`` where it fits, is 'auto' or None; else 'auto', and the log says why.

    Raises:
        ValueError: The named file is no valid baseline.
    """
    if name is None or name == 'auto':
        return name
    reasons = []
    try:
        baseline = load_baseline(name)
    except FileNotFoundError:
        reasons.append('is not there')
    else:
        for task, protocol in protocols.items():
            theirs = baseline.protocols.get(task, protocol)
            if theirs != canonical_name(protocol):
                reasons.append(f'was made under protocol {theirs!r} for {task!r}, not {protocol!r}')
        if backbone is not None and canonical_backbone(baseline.backbone) != canonical_backbone(backbone):
            reasons.append(f'has the backbone {baseline.backbone}, not {backbone}')
    if not reasons:
        return name
    message = f'the baseline {name!r} of the config {"; it ".join(reasons)}: a shipped one is looked for'
    print_log(message, logger='current', level=logging.WARNING)
    return 'auto'


def write_baseline(
    path: str | Path,
    result_json: str | Path,
    *,
    name: str,
    backbone: str | None = None,
    dataset: str | None = None,
    single_task: bool = False,
) -> Baseline:
    """Write the baseline that a finished single-task run is.

    Args:
        path: File to write, ending in '.json'.
        result_json: ``result.json`` of the run. Its ``scores`` (``{'semseg/mIoU': 49.2, ...}``) and ``protocols``
            (``{'semseg': 'pooled-absent-skipped', ...}``) are taken, and ``config``, ``commit`` and ``seed`` for the
            source. Scores that are null or 0, of which there is no relative change, are left out.
        name: Name of the baseline; none of a shipped one.
        backbone: Its backbone, where the result does not say.
        dataset: Its data set, where the result does not say.
        single_task: The networks are single-task ones, where the result does not say (that of predictions does not).

    Returns:
        What was written.

    Raises:
        FileNotFoundError: If there is no such result.
        ValueError: If the result lacks what is needed, is of a replica, a part of the data, a training split or a
            multi-task network, says something else than an argument, ``path`` does not end in '.json', or ``name`` is
            that of a shipped baseline.
    """
    if Path(path).suffix != '.json':
        raise ValueError(f'{path}: a baseline file must end in .json')
    if name in list_baselines():
        raise ValueError(f'{name!r} is the name of a baseline that mtlbox ships: give another one')
    where = str(result_json)
    result = read_result(result_json)
    data = expect(result, 'data', Mapping, where) or {}
    _check_data(data, where)
    _check_single(result, single_task, where)
    known = {
        'backbone': _agreed('backbone', backbone, expect(result, 'backbone', str, where), canonical_backbone, where),
        'dataset': _agreed(
            'dataset', dataset, expect(data, 'dataset', str, f'{where}: data'), canonical_dataset, where
        ),
    }
    lacking = [key for key in ('scores', 'protocols') if not isinstance(result.get(key), dict) or not result[key]]
    lacking += [f'{key} (give it as an argument)' for key, value in known.items() if not value]
    if lacking:
        raise ValueError(f'{result_json} has no {", ".join(lacking)}: expected the result.json of a finished run')
    scores: dict[str, dict[str, float]] = {}
    for key, value in result['scores'].items():
        task, _, score = key.partition('/')
        if task in result['protocols'] and score and finite(value) and value > 0:
            scores.setdefault(task, {})[score] = value
    origin = ', '.join(
        f'{key} {", ".join(map(str, value)) if isinstance(value, list) else value}'
        for key in ('config', 'commit', 'seed', 'seeds')
        if (value := result.get(key)) is not None
    )
    setting = setting_of(data, f'{where}: data')
    content = {
        'name': name,
        **known,
        'protocols': {task: result['protocols'][task] for task in scores},
        'scores': scores,
        'source': origin or where,
        **({'setting': setting} if setting else {}),
    }
    baseline = _checked(content, where)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    stored = {key: value for key, value in asdict(baseline).items() if value}
    Path(path).write_text(json.dumps(stored, indent=2) + '\n', encoding='utf-8')
    return baseline


def _check_data(data: Mapping[str, Any], where: str) -> None:
    """Refuse data that no baseline can be of."""
    if data.get('replica'):
        of = data.get('dataset') or 'the data set'
        raise ValueError(f'{where} is of a replica (rendered rooms): what it scores is no baseline of {of}')
    if data.get('of') not in (None, data.get('samples')):
        raise ValueError(f'{where} scores {data.get("samples")} samples of {data["of"]}: a part is no baseline')
    if data.get('split') == 'train':
        raise ValueError(f"{where} scores the split 'train', on which networks are trained: that is no baseline")


def _check_single(result: Mapping[str, Any], single_task: bool, where: str) -> None:
    """Refuse what is not, or may not be, of single-task networks."""
    model = expect(result, 'model', str, where)
    if model is None and not single_task:
        raise ValueError(
            f'{where} does not say of which model it is, but a baseline is of single-task networks: where it is of '
            'such, say so (--single-task)'
        )
    if model not in (None, 'STL'):
        raise ValueError(f'{where} is of a {model}, but a baseline is of single-task networks: train an STL config')


def _agreed(key: str, given: str | None, said: str | None, canonical: Callable[[str], str], where: str) -> str | None:
    """What is given, else what the result says; a ValueError where they differ."""
    if given and said and canonical(given) != canonical(said):
        raise ValueError(f'{where} is of the {key} {said!r}, but {given!r} is given: leave it out, the result says it')
    return given or said


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
    for task, protocol in protocols.items():
        _check_kind(task, protocol, f'{where}: protocols.{task}')
    for task, scores in content['scores'].items():
        if not isinstance(scores, Mapping) or not scores:
            raise ValueError(f'{where}: scores.{task} must map score names to numbers, got {scores!r}')
        _check_scores(scores, protocols[task], f'{where}: scores.{task}')
    return Baseline(**{**content, 'protocols': protocols, 'scores': {t: dict(s) for t, s in content['scores'].items()}})


def _check_kind(task: str, protocol: str, where: str) -> None:
    """Refuse a protocol by which a task of this name cannot be scored; a name that no task goes by says nothing."""
    kind = usual_tasks().get(task)
    if kind is None:
        return
    reasons = [metric.misfit(kind) for metric in _metrics_of(protocol)]
    if all(reasons):
        usual = [metric for metric in _metrics() if kind.primary_score in metric.higher_is_better]
        kinds = {metric.protocol_class.kind for metric in usual if not metric.misfit(kind)}
        near = sorted(name for fitting in kinds for name in PROTOCOLS[fitting])
        raise ValueError(
            f'{where} is {protocol!r}, by which {task!r} cannot be scored: {reasons[0]} It can by {", ".join(near)}.'
        )


def _check_scores(scores: Mapping[str, Any], protocol: str, where: str) -> None:
    """Refuse scores that no metric of the ``protocol`` gives, and values of which there is no relative change."""
    names = {name for metric in _metrics_of(protocol) for name in metric.higher_is_better}
    for name, value in scores.items():
        if name not in names:
            raise ValueError(f'{where}: the protocol {protocol!r} has no score {name!r}.{did_you_mean(name, names)}')
        if not finite(value) or value <= 0:
            raise ValueError(f'{where}.{name} must be a finite number above 0, got {str(value)[:60]}')


def _metrics_of(protocol: str) -> list[type[TaskMetric]]:
    """The metrics that a protocol can be of."""
    kinds = {kind for kind, known in PROTOCOLS.items() if protocol in known}
    return [metric for metric in _metrics() if metric.protocol_class.kind in kinds]


def _metrics() -> list[type[TaskMetric]]:
    return [metric for metric in METRICS.module_dict.values() if issubclass(metric, TaskMetric)]
