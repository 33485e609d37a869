"""Scoring under other protocols than a config's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.config import Config

from mtlbox.evaluation.delta_m import named_or_auto
from mtlbox.evaluation.protocols import get_protocol
from mtlbox.registry import METRICS, did_you_mean


def set_protocols(cfg: Config, wanted: Iterable[str]) -> None:
    """Change the protocols of the metrics of ``cfg.test_evaluator``.

    A task that is named more than once is scored under each of its protocols: the first keeps the metric's prefix, the
    others have ``TASK_PROTOCOL``. A named baseline stays where it fits the protocols too, or a comparison is forced;
    else a shipped one is looked for.

    Args:
        cfg: A config that ``load_config`` has read; changed in place.
        wanted: 'TASK=PROTOCOL', e.g. 'depth=image-mean'.

    Raises:
        ValueError: One is not of this form or there twice, or its task has no metric, or its protocol is not known; or
            several data sets are scored.
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
    changed: dict[str, list[str]] = {}
    for task, word in pairs:
        if task not in tasks:
            raise ValueError(f'--protocol {task}={word}: no metric scores {task!r}.{did_you_mean(task, tasks)}')
        metric = next(metric for metric in metrics if metric.get('task') == task)
        protocol = get_protocol(word, METRICS.get(metric['type']).protocol_class).name
        if protocol in changed.get(task, ()):
            raise ValueError(f'--protocol {task}={word}: {task!r} is scored under {protocol!r} already')
        if task in changed:
            metric = {**metric, 'prefix': f'{task}_{protocol.replace("/", "_")}'}
            metrics.append(metric)
        metric['protocol'] = protocol
        changed.setdefault(task, []).append(protocol)
    evaluator = {**evaluator, 'metrics': metrics}
    if evaluator.get('baseline') is not None and not evaluator.get('force'):
        evaluator['baseline'] = named_or_auto(evaluator['baseline'], main_protocols(metrics))
    cfg.test_evaluator = evaluator


def main_protocols(metrics: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Protocol of each task that delta_m looks at, from the configs of metrics: those whose prefix is their task."""
    return {
        metric['task']: metric['protocol']
        for metric in metrics
        if 'protocol' in metric and metric.get('prefix') in (None, metric['task'])
    }


def _pair(text: str) -> tuple[str, str]:
    task, sign, protocol = text.partition('=')
    if not (task and sign and protocol):
        raise ValueError(f'--protocol {text}: expected TASK=PROTOCOL, e.g. depth=image-mean')
    return task, protocol
