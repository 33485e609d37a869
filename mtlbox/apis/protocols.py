"""Scoring under other protocols than a config's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mmengine.config import Config

from mtlbox.evaluation.protocols import get_protocol
from mtlbox.registry import METRICS, did_you_mean


def set_protocols(cfg: Config, wanted: Iterable[str]) -> None:
    """Change the protocols of the metrics of ``cfg.test_evaluator``.

    A task that is named more than once is scored under each of its protocols: the first keeps the metric's prefix, the
    others have ``TASK_PROTOCOL``. The baseline is looked for anew, for the config's is of the config's protocols,
    unless a comparison is forced.

    Args:
        cfg: A config that ``load_config`` has read; changed in place.
        wanted: 'TASK=PROTOCOL', e.g. 'depth=image-mean'.

    Raises:
        ValueError: One is not of this form, or its task has no metric, or its protocol is not known; or several data
            sets are scored.
    """
    pairs = [_pair(text) for text in wanted]
    if not pairs:
        return
    evaluator = cfg.test_evaluator
    if isinstance(evaluator, Mapping) and 'evaluators' in evaluator:
        raise ValueError('--protocol: of several data sets, change test_evaluator.evaluators.NAME by --cfg-options.')
    if not isinstance(evaluator, Mapping) or 'metrics' not in evaluator:
        evaluator = {'type': 'MTLEvaluator', 'metrics': evaluator}
    metrics = evaluator['metrics']
    metrics = [dict(metric) for metric in ([metrics] if isinstance(metrics, Mapping) else metrics)]
    tasks = list(dict.fromkeys(str(metric.get('task')) for metric in metrics))
    changed: set[str] = set()
    for task, word in pairs:
        if task not in tasks:
            raise ValueError(f'--protocol {task}={word}: no metric scores {task!r}.{did_you_mean(task, tasks)}')
        metric = next(metric for metric in metrics if metric.get('task') == task)
        protocol = get_protocol(word, METRICS.get(metric['type']).protocol_class).name
        if task in changed:
            metric = {**metric, 'prefix': f'{task}_{protocol.replace("/", "_")}'}
            metrics.append(metric)
        metric['protocol'] = protocol
        changed.add(task)
    evaluator = {**evaluator, 'metrics': metrics}
    if evaluator.get('baseline') is not None and not evaluator.get('force'):
        evaluator['baseline'] = 'auto'
    cfg.test_evaluator = evaluator


def _pair(text: str) -> tuple[str, str]:
    task, sign, protocol = text.partition('=')
    if not (task and sign and protocol):
        raise ValueError(f'--protocol {text}: expected TASK=PROTOCOL, e.g. depth=image-mean')
    return task, protocol
