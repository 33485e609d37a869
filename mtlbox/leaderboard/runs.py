"""Our own results as rows: the ``result.json`` of runs, and what ``tools/run_seeds.py`` makes of several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mtlbox.evaluation.protocols import canonical_name
from mtlbox.leaderboard.names import canonical_backbone, canonical_dataset, known_datasets, known_scores
from mtlbox.leaderboard.results import expect, expect_scores, finite, read_result, setting_of
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
    another split, of generated data of another size, and of a training with few labels, are set apart by the row's
    ``setting``. A task whose scores are all null keeps its column.

    Raises:
        ValueError: The file is not the result of a run, or does not say what was scored; the message names it.
    """
    path = Path(path)
    where = str(path)
    result = read_result(path)
    for key in ('scores', 'protocols'):
        if not isinstance(result.get(key), Mapping) or not result[key]:
            raise ValueError(f'{path} has no {key}: expected the result.json of a finished run')
    config = expect(result, 'config', str, where)
    name = expect(result, 'name', str, where) or (Path(config).stem if config else path.resolve().parent.name)
    dataset, setting = _data(expect(result, 'data', Mapping, where), name, path)
    trained_on = expect(result, 'trained_on', Mapping, where)
    setting = '; '.join(filter(None, (setting, _trained_on_less(trained_on, f'{where}: trained_on'))))
    protocols = {
        task: _protocol(protocol, f'{where}: protocols.{task}') for task, protocol in result['protocols'].items()
    }
    given = expect_scores(result, 'scores', where)
    known = [score for score in known_scores() if score in given and score.partition('/')[0] in protocols]
    scores = {score: value for score in known if (value := given[score]) is not None}
    if not scores:
        raise ValueError(f'{path} has none of the scores of published tables ({", ".join(known_scores())})')
    columns = _columns(known, scores, expect(result, 'primary', Mapping, where) or {})
    missing = tuple(score for score in known if score not in scores)
    lost = [score for score in columns if score in missing]
    seeds, runs = _seeds(result, where)
    parameters, macs = _size(result, 'parameters', where), _size(result, 'macs', where)
    return Row(
        dataset=dataset,
        setting=setting,
        method=name,
        backbone=canonical_backbone(expect(result, 'backbone', str, where) or UNSTATED),
        source=_source(result, seeds, path),
        columns=columns,
        scores=scores,
        missing=missing,
        protocols={task: protocols[task] for task in dict.fromkeys(s.partition('/')[0] for s in known)},
        params=parameters / 1e6 if parameters else None,
        params_counted=bool(parameters),
        macs=macs / 1e9 if macs else None,
        macs_counted=bool(macs),
        note=' '.join(filter(None, (_forced(expect(result, 'baseline', Mapping, where), where), _lost(lost)))),
        ours=True,
        std={score: value for score, value in expect_scores(result, 'std', where).items() if value is not None},
        runs=len(seeds) or 1,
        seed_scores=runs,
    )


def _protocol(name: Any, where: str) -> str:
    if not isinstance(name, str):
        raise ValueError(f'{where} must be a text, but is {name!r}')
    try:
        return canonical_name(name)
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from error


def _columns(known: Iterable[str], scores: Mapping[str, float], primary: Mapping[str, Any]) -> tuple[str, ...]:
    """The score that stands for each task: what the run says, else the first that it has, else the first."""
    known = list(known)
    chosen = {score.partition('/')[0]: score for score in reversed(known)}
    chosen |= {score.partition('/')[0]: score for score in reversed(known) if score in scores}
    chosen |= {task: score for task, score in primary.items() if score in known}
    return tuple(score for score in known if score in chosen.values())


def _seeds(result: Mapping[str, Any], where: str) -> tuple[list[int], tuple[dict[str, float], ...]]:
    """The seeds of a result, and what each of several gave."""
    seeds = expect(result, 'seeds', list, where)
    if seeds is None:
        seed = expect(result, 'seed', int, where)
        return [] if seed is None else [seed], ()
    if not seeds or not all(isinstance(seed, int) for seed in seeds):
        raise ValueError(f'{where}: seeds must be a list of whole numbers, but is {seeds!r}')
    runs = []
    for place, run in enumerate(expect(result, 'runs', list, where) or ()):
        if not isinstance(run, Mapping):
            raise ValueError(f'{where}: runs.{place} must be keys and values, but is {run!r}')
        scores = expect_scores(run, 'scores', f'{where}: runs.{place}')
        runs.append({score: value for score, value in scores.items() if value is not None})
    return seeds, tuple(runs)


def _size(result: Mapping[str, Any], key: str, where: str) -> float | None:
    value = result.get(key)
    if value is not None and (not finite(value) or value < 0):
        raise ValueError(f'{where}: {key} must be a number, 0 at least, or null, but is {str(value)[:60]!r}')
    return value


def _source(result: Mapping[str, Any], seeds: list[int], path: Path) -> str:
    """Where the scores are from: folder, checkpoint, commit, iterations and seeds."""
    if predictions := expect(result, 'predictions', str, str(path)):
        return f'predictions in {_one(predictions)}, scored by us'
    commits = result.get('commit') or 'unknown'
    if not isinstance(commits, (str, list)):
        raise ValueError(f'{path}: commit must be a text or a list, but is {commits!r}')
    parts = ['ours', _one(str(path.parent))]
    test = expect(result, 'test', Mapping, str(path)) or {}
    if checkpoint := expect(test, 'checkpoint', str, f'{path}: test'):
        parts.append(f'checkpoint {_one(checkpoint)}{" (averaged weights)" if test.get("ema") is True else ""}')
    parts.append(f'commit {_one(commits) if isinstance(commits, str) else " and ".join(_one(str(c)) for c in commits)}')
    if count := expect(result, 'iter', int, str(path)):
        parts.append(f'{count} iteration{"s"[: count != 1]}')
    if seeds:
        parts.append(f'seed{"s"[: len(seeds) != 1]} {", ".join(map(str, seeds))}')
    return ', '.join(parts)


def _one(text: str) -> str:
    """``text`` as a part of a source, in which '; ' and ': ' join several."""
    return text.replace('; ', ';').replace(': ', ':')


def _data(data: Mapping[str, Any] | None, name: str, path: Path) -> tuple[str, str]:
    """Data set of a run, and what sets its scores apart from those of the whole real data."""
    where = f'{path}: data'
    if data is None or not expect(data, 'dataset', str, where):
        for word in name.split('_'):  # METHOD_BACKBONE_DATASET, as configs are named
            if word in known_datasets():
                return word, NOT_RECORDED
        raise ValueError(f'{path} does not say on which data it was measured (its key data.dataset is missing)')
    dataset = canonical_dataset(data['dataset'])
    if data.get('replica'):
        return dataset, REPLICA
    samples, whole = expect(data, 'samples', int, where), expect(data, 'of', int, where)
    if whole is not None and samples != whole:
        return dataset, f'A part of the split {data.get("split")}: {samples} of {whole} samples'
    return dataset, setting_of(data, where)


def _trained_on_less(data: Mapping[str, Any] | None, where: str) -> str:
    """What was withheld of the labels or the samples that were trained on; '' where nothing was."""
    if not data:
        return ''
    kept = expect(data, 'labelled', Mapping, where)
    if kept:
        each = (f'{task} on {one["samples"]} of {one["of"]} samples' for task, one in kept.items())
        return f'Trained with labels of {", ".join(each)}'
    samples, whole = expect(data, 'samples', int, where), expect(data, 'of', int, where)
    if data.get('replica') or samples is None or whole is None or samples == whole:
        return ''
    return f'Trained on {samples} of {whole} samples'


def _forced(baseline: Mapping[str, Any] | None, where: str) -> str:
    reasons = expect(baseline, 'forced', list, f'{where}: baseline') if baseline is not None else None
    if baseline is None or not reasons:
        return ''
    name = expect(baseline, 'name', str, f'{where}: baseline') or 'of an unknown name'
    return f'The delta_m in its result.json was forced: the baseline {name} {"; it ".join(map(str, reasons))}.'


def _lost(scores: Iterable[str]) -> str:
    lost = ', '.join(scores)
    return f'No delta_m: {lost} could not be computed (null in its result.json).' if lost else ''
