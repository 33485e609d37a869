"""The tasks of the model, of the data sets and of the metrics are the same ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mtlbox.config.errors import ConfigError
from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.evaluation.metrics.base import TaskMetric
from mtlbox.models.losses import check_fit
from mtlbox.registry import DATASETS, LOSSES, METRICS, did_you_mean
from mtlbox.tasks import Task, build_tasks
from mtlbox.tasks.palette import Palette

_SPLITS = ('train', 'val', 'test')


def check_tasks(cfg: Mapping[str, Any], name: str) -> None:
    """Compare the tasks of a config's model with those of its data sets and metrics; no data is read.

    Raises:
        ConfigError: A loss cannot train its task; a data set has other tasks than the model, or one with other
            properties; no data set that is trained on has a label for a task; or a metric is for a task that the model
            lacks, that its data set has no label for, or whose maps it cannot score.
    """
    model = cfg.get('model')
    if not isinstance(model, Mapping) or 'tasks' not in model:
        return
    tasks = _built(f'{name}: model.tasks', model['tasks'])
    _check_losses(f'{name}: model', model, tasks)
    for split in _SPLITS:
        loader = cfg.get(f'{split}_dataloader')
        labelled: set[str] | None = None
        if isinstance(loader, Mapping) and loader.get('dataset') is not None:
            labelled = _compare_data(f'{name}: {split}_dataloader.dataset', loader['dataset'], tasks)
        if split == 'train' and labelled is not None:
            _require_labels(name, labelled, tasks)
        evaluator = cfg.get(f'{split}_evaluator')
        if isinstance(evaluator, Mapping) and isinstance(evaluator.get('evaluators'), Mapping):
            _check_each(name, split, evaluator['evaluators'], (loader or {}).get('dataset') or {}, tasks)
        elif evaluator is not None:
            _check_metrics(f'{name}: {split}_evaluator', evaluator, tasks, labelled)


def _check_losses(where: str, model: Mapping[str, Any], tasks: Mapping[str, Task]) -> None:
    """Compare each loss with its task; what is missing or no task is left to whoever builds the model."""
    losses = model.get('losses') or {}
    named = dict.fromkeys(tasks, losses) if 'type' in losses else losses
    of_task = [(f'losses.{key}', key, configs) for key, configs in named.items()]
    for name, head in (model.get('auxiliary_heads') or {}).items():
        of_task.append((f'auxiliary_heads.{name}.losses', head.get('task'), head.get('losses') or []))
    for place, key, configs in of_task:
        for config in [configs] if isinstance(configs, Mapping) else configs:
            if key in tasks:
                try:
                    check_fit(LOSSES.build(dict(config)), tasks[key])
                except ValueError as error:
                    raise ConfigError(f'{where}.{place}: {error}') from None


def palettes_of(cfg: Mapping[str, Any], tasks: Mapping[str, Task]) -> dict[str, Palette]:
    """Return ``{task key: RGB of its classes}`` as the data sets of a config name them, the tested ones first.

    No data is read.

    Args:
        cfg: The config.
        tasks: The tasks of its model.
    """
    palettes: dict[str, Palette] = {}
    for split in reversed(_SPLITS):
        loader = cfg.get(f'{split}_dataloader')
        for _, cls, dataset in _datasets('', (loader or {}).get('dataset')):
            if cls is not None:
                palettes = {**cls.palettes(tasks, dataset.get('labels')), **palettes}
    return palettes


def _check_each(
    name: str, split: str, evaluators: Mapping[str, Any], dataset: Mapping, tasks: Mapping[str, Task]
) -> None:
    """Check the evaluators of several data sets, each against its own one."""
    there = dataset.get('datasets')
    for key, evaluator in evaluators.items():
        where = f'{name}: {split}_evaluator.evaluators.{key}'
        if not isinstance(there, Mapping) or key not in there:
            near = did_you_mean(str(key), map(str, there) if isinstance(there, Mapping) else ())
            raise ConfigError(f'{where} is for no data set of {split}_dataloader.{near}')
        labelled = _compare_data(f'{name}: {split}_dataloader.dataset.datasets.{key}', there[key], tasks)
        _check_metrics(where, evaluator, tasks, labelled)


def _built(where: str, tasks: Any) -> dict[str, Task]:
    try:
        return build_tasks(tasks)
    except Exception as error:
        raise ConfigError(f'{where}: {error}') from error


def _compare_data(where: str, config: Any, tasks: Mapping[str, Task]) -> set[str] | None:
    """Return which tasks the data sets below ``config`` have labels for; None where one of them does not tell."""
    labelled: set[str] | None = set()
    for place, cls, dataset in _datasets(where, config):
        if cls is None:
            labelled = None
            continue
        if dataset.get('tasks') is None:
            raise ConfigError(f"{place} has no 'tasks': give it the model's, {', '.join(tasks)}.")
        theirs = _built(f'{place}.tasks', dataset['tasks'])
        _compare(f'{place}.tasks', theirs, tasks)
        try:
            matched = cls.match_labels(theirs, dataset.get('labels'))
        except (TypeError, ValueError) as error:
            raise ConfigError(f'{place}: {error}') from None
        if labelled is not None:
            labelled |= {*matched, *cls.derived(theirs)}
    return labelled


def _datasets(where: str, config: Any) -> Iterator[tuple[str, type[MultiTaskDataset] | None, Mapping]]:
    """Yield (place, class, config) of the data sets inside wrappers; the class is None where it is another kind."""
    if not isinstance(config, Mapping):
        return
    kind = config.get('type')
    cls = DATASETS.get(kind) if isinstance(kind, str) else kind
    if isinstance(cls, type) and issubclass(cls, MultiTaskDataset):
        yield where, cls, config
    elif 'dataset' in config:
        yield from _datasets(f'{where}.dataset', config['dataset'])
    elif isinstance(config.get('datasets'), (Sequence, Mapping)):
        parts = config['datasets']
        for i, part in parts.items() if isinstance(parts, Mapping) else enumerate(parts):
            yield from _datasets(f'{where}.datasets.{i}', part)
    else:
        yield where, None, config


def _compare(where: str, theirs: Mapping[str, Task], tasks: Mapping[str, Task]) -> None:
    for key in theirs:
        if key not in tasks:
            raise ConfigError(f'{where} has {key!r}, which is not a task of the model.{did_you_mean(key, tasks)}')
    for key, task in tasks.items():
        if key not in theirs:
            raise ConfigError(
                f'{where} lacks the task {key!r} of the model; it has {", ".join(theirs)}. A data set names all tasks '
                'of the model, whether it has labels for them or not.'
            )
        mine, other = _properties(task), _properties(theirs[key])
        for name in [*mine, *(name for name in other if name not in mine)]:
            if mine.get(name) != other.get(name):
                raise ConfigError(
                    f'{where}.{key} has {name}={other.get(name)!r}, but model.tasks.{key} has '
                    f'{name}={mine.get(name)!r}: they are one task.'
                )


def _properties(task: Task) -> dict[str, Any]:
    plain = {name: value for name, value in vars(task).items() if isinstance(value, (str, int, float, tuple))}
    return {'type': type(task).__name__, **plain}


def _require_labels(name: str, labelled: set[str], tasks: Mapping[str, Task]) -> None:
    missing = [key for key in tasks if key not in labelled]
    if missing:
        raise ConfigError(
            f'{name}: train_dataloader: no data set has labels for the task {missing[0]!r} of the model; there are '
            f'labels for {", ".join(sorted(labelled)) or "nothing"}. Where a label has another name than its task: '
            f"labels=dict({missing[0]}='its_name', ...) of the data set."
        )


def _check_metrics(where: str, evaluator: Any, tasks: Mapping[str, Task], labelled: set[str] | None) -> None:
    metrics = evaluator.get('metrics', evaluator) if isinstance(evaluator, Mapping) else evaluator
    place = f'{where}.metrics' if metrics is not evaluator else where
    many = isinstance(metrics, Sequence)
    for i, metric in enumerate(metrics if many else [metrics]):
        if not isinstance(metric, Mapping) or not isinstance(metric.get('task'), str):
            continue
        here, key = f'{place}.{i}' if many else place, metric['task']
        kind = metric.get('type')
        if key not in tasks:
            raise ConfigError(f'{here}: {kind} is for {key!r}, not a task of the model.{did_you_mean(key, tasks)}')
        if labelled is not None and key not in labelled:
            raise ConfigError(
                f'{here}: {kind} is for {key!r}, which the data set has no label for; there are labels for '
                f'{", ".join(sorted(labelled)) or "nothing"}.'
            )
        cls = METRICS.get(kind) if isinstance(kind, str) else kind
        reason = cls.misfit(tasks[key]) if isinstance(cls, type) and issubclass(cls, TaskMetric) else ''
        if reason:
            raise ConfigError(f'{here}: {kind} cannot score {key!r}: {reason}')
    scored = {metric.get('task') for metric in (metrics if many else [metrics]) if isinstance(metric, Mapping)}
    for key in (evaluator.get('primary') or {}) if isinstance(evaluator, Mapping) else ():
        if key not in scored:
            near = did_you_mean(str(key), [str(task) for task in scored])
            raise ConfigError(f'{where}: primary names {key!r}, which no metric is for.{near}')
