"""Our own results as rows: the ``result.json`` of runs, and what ``tools/run_seeds.py`` makes of several."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mtlbox.leaderboard.names import canonical_backbone, canonical_dataset, known_datasets, known_scores
from mtlbox.leaderboard.rows import UNSTATED, Row

REPLICA = 'Replica: rendered rooms in the layout of the data set; compares with nothing that is published'
NOT_RECORDED = 'Data not recorded: whether all of the real data set was scored is not known'


def find_results(paths: Iterable[str | Path]) -> list[Path]:
    """Return the result files of some paths, each once.

    Args:
        paths: Result files, work directories, or folders of work directories. Below a folder that has a ``result.json``
            no other is looked for: those of its seeds or tests are parts of it.

    Raises:
        FileNotFoundError: A path is not there, or there is no ``result.json`` in it.
    """
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise FileNotFoundError(f'there is no {path}')
        results = [path] if path.is_file() else list(_results_below(path))
        if not results:
            raise FileNotFoundError(
                f'{path} has no result.json: expected the work directory of a run, or a folder of such'
            )
        found.update((result.resolve(), result) for result in results)
    return list(found.values())


def _results_below(folder: Path) -> Iterable[Path]:
    if (folder / 'result.json').is_file():
        yield folder / 'result.json'
        return
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.is_symlink():
            yield from _results_below(child)


def read_run(path: str | Path) -> Row:
    """Read a result file.

    The row has one score a task, the first that published tables have. Scores of a replica, of a part of the data, of
    generated data of another size, and of a training with few labels, are set apart by the row's ``setting``.

    Raises:
        ValueError: The file is not the result of a run, or does not say what was scored; the message names it.
    """
    path = Path(path)
    try:
        result = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path} is not valid JSON: {error}') from error
    for key in ('scores', 'protocols'):
        if not isinstance(result, Mapping) or not isinstance(result.get(key), Mapping) or not result[key]:
            raise ValueError(f'{path} has no {key}: expected the result.json of a finished run')
    config = result.get('config')
    name = result.get('name') or (Path(config).stem if config else path.resolve().parent.name)
    dataset, setting = _data(result.get('data'), name, path)
    setting = '; '.join(filter(None, (setting, _few_labels(result.get('trained_on')))))
    scores = _scores(result['scores'], path)
    kept = [score for score in known_scores() if score in scores and score.partition('/')[0] in result['protocols']]
    if not kept:
        raise ValueError(f'{path} has none of the scores of published tables ({", ".join(known_scores())})')
    primary = {score.partition('/')[0]: score for score in reversed(kept)}
    primary |= {task: score for task, score in (result.get('primary') or {}).items() if score in kept}
    seeds = result.get('seeds') or [result.get('seed')]
    what = 'seeds' if len(seeds) > 1 else 'seed'
    commits = result.get('commit') or 'unknown'
    origin = f'ours, commit {commits if isinstance(commits, str) else " and ".join(map(str, commits))}'
    if result.get('iter'):
        origin += f', {result["iter"]} iterations'
    if result.get('predictions'):
        origin = f'predictions in {result["predictions"]}, scored by us'
    parameters, macs = result.get('parameters'), result.get('macs')
    return Row(
        dataset=dataset,
        setting=setting,
        method=name,
        backbone=canonical_backbone(result.get('backbone') or UNSTATED),
        source=f'{origin}, {what} {", ".join(map(str, seeds))}' if seeds != [None] else origin,
        columns=tuple(score for score in kept if score in primary.values()),
        scores={score: scores[score] for score in kept},
        protocols={task: result['protocols'][task] for task in dict.fromkeys(s.partition('/')[0] for s in kept)},
        params=parameters / 1e6 if parameters else None,
        params_counted=bool(parameters),
        macs=macs / 1e9 if macs else None,
        macs_counted=bool(macs),
        note=_note(result.get('baseline')),
        ours=True,
        std=_scores(result.get('std') or {}, path),
        runs=len(seeds),
    )


def _data(data: Any, name: str, path: Path) -> tuple[str, str]:
    """Data set of a run, and what sets its scores apart from those of the whole real data."""
    if not isinstance(data, Mapping) or not data.get('dataset'):
        for word in name.split('_'):  # METHOD_BACKBONE_DATASET, as configs are named
            if word in known_datasets():
                return word, NOT_RECORDED
        raise ValueError(f'{path} does not say on which data it was measured (its key data.dataset is missing)')
    dataset = canonical_dataset(data['dataset'])
    if data.get('replica'):
        return dataset, REPLICA
    samples, whole = data.get('samples'), data.get('of')
    if whole is not None and samples != whole:
        return dataset, f'A part of the split {data.get("split")}: {samples} of {whole} samples'
    return dataset, data.get('setting') or ''


def _few_labels(data: Any) -> str:
    """What was withheld of the labels that were trained on; '' where nothing was."""
    kept = data.get('labelled') if isinstance(data, Mapping) else None
    if not isinstance(kept, Mapping) or not kept:
        return ''
    each = (f'{task} on {one["samples"]} of {one["of"]} samples' for task, one in kept.items())
    return f'Trained with labels of {", ".join(each)}'


def _scores(scores: Mapping[str, Any], path: Path) -> dict[str, float]:
    found = {}
    for key, value in scores.items():
        if value is None:
            continue  # could not be computed
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            raise ValueError(f'{path}: scores.{key} must be a number or null, but is {value!r}')
        found[key] = float(value)
    return found


def _note(baseline: Any) -> str:
    reasons = baseline.get('forced') if isinstance(baseline, Mapping) else None
    if not reasons:
        return ''
    return f'The delta_m in its result.json was forced: the baseline {baseline["name"]} {"; it ".join(reasons)}.'
