"""The evaluator: all metrics of all tasks, and delta_m."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.logging import print_log

from mtlbox.evaluation.delta_m import HOW_TO_MAKE, Baseline, find_baselines, list_baselines, load_baseline
from mtlbox.evaluation.functional.delta_m import delta_m
from mtlbox.evaluation.metrics.base import TaskMetric
from mtlbox.leaderboard.names import canonical_backbone, canonical_dataset
from mtlbox.registry import EVALUATORS, METRICS, did_you_mean


@EVALUATORS.register_module()
class MTLEvaluator(Evaluator):
    """Runs the metrics of all tasks and adds delta_m against single-task baselines.

    Scores are named ``<prefix>/<score>``, e.g. 'semseg/mIoU'. ``delta_m``, in percent, is taken over the tasks that
    have a metric under their own key as prefix, with one primary score each. It is left out, and the log says why,
    where the baseline is missing or lacks one of these scores, where a score is NaN, or where the baseline is a shipped
    one, of a whole published data set, and the scores are of a replica or of a part of the data.

    Args:
        metrics: Metrics or their configs.
        baseline: Name of a shipped baseline or path of a baseline file (``mtlbox.evaluation.delta_m``), or 'auto' for
            the shipped one of the same data set, backbone and protocols. A missing one is logged, with the way to make
            it.
        primary: Score of each task that enters delta_m; for tasks that are not named here the ``primary_score`` of
            the data set's Task.
        force: Compare with a baseline of another protocol, backbone or data set all the same. It is logged, and
            ``comparison`` says so.

    Raises:
        ValueError: If two metrics give a score of the same name, ``primary`` names a task or score that no metric has,
            or the baseline was made under another protocol than a metric's and ``force`` is not set.
    """

    def __init__(
        self,
        *,
        metrics: Mapping[str, Any] | BaseMetric | Sequence[Mapping[str, Any] | BaseMetric],
        baseline: str | None = None,
        primary: Mapping[str, str] | None = None,
        force: bool = False,
    ) -> None:
        given = metrics if isinstance(metrics, Sequence) else [metrics]
        super().__init__([m if isinstance(m, BaseMetric) else METRICS.build(dict(m)) for m in given])
        self._by_score = self._index_scores()
        self._primary = dict(primary or {})
        self._check_primary()
        self.baseline: Baseline | None = None
        self._force = force
        self._find = baseline == 'auto'
        self._backbone: str | None = None
        if baseline is not None and not self._find:
            try:
                self.baseline = load_baseline(baseline)
            except FileNotFoundError as error:
                _log(f'delta_m will not be computed: {error}')
        self._check_comparable()

    @property
    def backbone(self) -> str | None:
        """Name of the backbone of the network whose predictions are scored, where it is known."""
        return self._backbone

    @backbone.setter
    def backbone(self, backbone: str | None) -> None:
        """Say which backbone the network has.

        Raises:
            ValueError: If the baseline's is another one, and ``force`` is not set.
        """
        self._backbone = backbone
        self._check_comparable()

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the data set; ``tasks`` maps keys to Task instances."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        """Hand the metainfo to the metrics.

        Raises:
            ValueError: If a metric scores a task that the data set lacks, or cannot be set up from the metainfo, or
                the baseline is of another data set and ``force`` is not set.
        """
        tasks = dataset_meta.get('tasks')
        for metric in self.task_metrics:
            if tasks is not None and metric.task not in tasks:
                raise ValueError(
                    f'{type(metric).__name__} is for task {metric.task!r}, which the data set does not have.'
                    f'{did_you_mean(metric.task, list(tasks))}'
                )
        self._dataset_meta = dataset_meta
        for metric in self.metrics:
            metric.dataset_meta = dataset_meta
        for metric in self.task_metrics:
            _ = metric.statistic_shape  # says now, not after a batch, what the metainfo lacks
        self._find_baseline()
        self._check_comparable()
        if self.baseline is not None:
            try:
                self._compared(self.baseline)
            except _Undefined as reason:
                _log(f'delta_m will not be computed: {reason}')

    @property
    def task_metrics(self) -> list[TaskMetric]:
        """The metrics that score one task under one protocol."""
        return [metric for metric in self.metrics if isinstance(metric, TaskMetric)]

    def protocols(self) -> dict[str, str]:
        """Protocol of each prefix; a metric's prefix is its task's key unless it was given another."""
        return {str(metric.prefix): metric.protocol for metric in self.task_metrics}

    def description(self) -> dict[str, Any]:
        """What a ``result.json`` says of its scores: backbone, data, protocols, primary scores, baseline."""
        return {
            'backbone': self.backbone,
            'data': (self.dataset_meta or {}).get('origin'),
            'protocols': self.protocols(),
            'primary': self.primary_scores(),
            'baseline': self.comparison(),
        }

    def comparison(self) -> dict[str, Any] | None:
        """What delta_m compares with: ``name`` and ``source`` of the baseline, and ``forced``, why it should not have
        been; None without a baseline."""
        if self.baseline is None:
            return None
        return {'name': self.baseline.name, 'source': self.baseline.source, 'forced': self._differences()}

    def other_data(self) -> str:
        """Why the data that are scored are not what a shipped baseline was measured on; '' where nothing is known."""
        origin = (self.dataset_meta or {}).get('origin')
        if self.baseline is None or not origin or self.baseline.name not in list_baselines():
            return ''
        name = self.baseline.name
        if origin['replica']:
            return f'the data are a replica, not what the baseline {name!r} was measured on'
        if origin['of'] not in (None, origin['samples']):
            return (
                f'{origin["samples"]} samples are scored, but the baseline {name!r} was measured on all {origin["of"]}'
            )
        return ''

    def higher_is_better(self, score: str) -> bool:
        """Direction of a score.

        Args:
            score: 'delta_m' or '<prefix>/<name>'.

        Raises:
            ValueError: If no metric gives this score; the message gives the nearest.
        """
        if score == 'delta_m':
            return True
        if score not in self._by_score:
            raise ValueError(f'no metric gives a score {score!r}.{did_you_mean(score, ["delta_m", *self._by_score])}')
        return self._by_score[score].higher_is_better[score.rpartition('/')[2]]

    def evaluate(self, size: int) -> dict[str, float]:
        """Scores of the data set.

        Args:
            size: Number of images in the data set; what a distributed sampler padded beyond it is dropped.

        Returns:
            All scores, and ``delta_m`` in percent where it can be computed.
        """
        scores = super().evaluate(size)
        if self.baseline is not None:
            try:
                scores['delta_m'] = self._delta_m(self.baseline, scores)
            except _Undefined as reason:
                _log(f'delta_m is left out: {reason}')
        return scores

    def score_names(self) -> list[str]:
        """Names of the scores that ``evaluate`` gives, ``delta_m`` among them if its baseline has all that it needs.

        Known once ``dataset_meta`` is set, so that the name of a score to keep the best checkpoint by can be checked
        before training.
        """
        names = list(self._by_score)
        if self.baseline is not None:
            with contextlib.suppress(_Undefined):
                self._compared(self.baseline)
                names.append('delta_m')
        return names

    def _delta_m(self, baseline: Baseline, scores: Mapping[str, float]) -> float:
        """delta_m of ``scores``; raises ``_Undefined`` with the reason where there is none."""
        compared = self._compared(baseline)
        ours = {task: scores[f'{task}/{score}'] for task, score in compared.items()}
        for task, score in compared.items():
            if math.isnan(ours[task]):
                raise _Undefined(f'{task}/{score} is NaN: nothing was valid in the data set')
        theirs = {task: baseline.scores[task][score] for task, score in compared.items()}
        return delta_m(ours, theirs, {t: self.higher_is_better(f'{t}/{score}') for t, score in compared.items()})

    def _compared(self, baseline: Baseline) -> dict[str, str]:
        """The score of each task that enters delta_m; raises ``_Undefined`` if the baseline lacks one."""
        other_data = self.other_data()
        if other_data:
            raise _Undefined(other_data)
        compared = {}
        for metric in self._main_metrics():
            task, score = metric.task, self._primary_score(metric)
            if score not in baseline.scores.get(task, {}):
                there = {t: sorted(s) for t, s in baseline.scores.items()}
                raise _Undefined(
                    f'the baseline {baseline.name!r} has no {score!r} of {task!r} (it has {there}); primary= names the '
                    'score to compare'
                )
            if baseline.scores[task][score] <= 0:
                raise _Undefined(
                    f'{task}/{score} of the baseline {baseline.name!r} is not positive: no relative change'
                )
            compared[task] = score
        if not compared:
            raise _Undefined('no metric has its task as prefix')
        return compared

    def _primary_score(self, metric: TaskMetric) -> str:
        """Name of the score of ``metric`` that enters delta_m."""
        tasks = (self.dataset_meta or {}).get('tasks') or {}
        score = self._primary.get(metric.task) or getattr(tasks.get(metric.task), 'primary_score', None)
        if score is None:
            raise _Undefined(f'the primary score of {metric.task!r} is not known: give primary=')
        if score not in metric.higher_is_better:
            raise _Undefined(
                f'{score!r}, the primary score of {metric.task!r}, is none of {list(metric.higher_is_better)}'
            )
        return str(score)

    def primary_scores(self) -> dict[str, str]:
        """Full name of the score that stands for each task, those of ``primary`` included."""
        found = {}
        for metric in self._main_metrics():
            with contextlib.suppress(_Undefined):
                found[metric.task] = f'{metric.task}/{self._primary_score(metric)}'
        return found

    def _main_metrics(self) -> list[TaskMetric]:
        """The metrics whose prefix is their task: one a task, those that delta_m looks at."""
        return [metric for metric in self.task_metrics if metric.prefix == metric.task]

    def _index_scores(self) -> dict[str, TaskMetric]:
        """The metric behind each full score name."""
        found: dict[str, TaskMetric] = {}
        for metric in self.task_metrics:
            for name in metric.higher_is_better:
                full = f'{metric.prefix}/{name}'
                if full in found:
                    raise ValueError(
                        f'{type(found[full]).__name__} ({found[full].protocol}) and {type(metric).__name__} '
                        f'({metric.protocol}) both give the score {full!r}: give one of them another prefix='
                    )
                found[full] = metric
        return found

    def _check_primary(self) -> None:
        """Refuse primary scores that no metric gives."""
        metrics = {metric.task: metric for metric in self._main_metrics()}
        for task, score in self._primary.items():
            if task not in metrics:
                raise ValueError(f'primary names task {task!r}, which has no metric.{did_you_mean(task, metrics)}')
            if score not in metrics[task].higher_is_better:
                hint = did_you_mean(score, metrics[task].higher_is_better)
                raise ValueError(f'primary: {type(metrics[task]).__name__} of {task!r} gives no score {score!r}.{hint}')

    def _find_baseline(self) -> None:
        """Take the shipped baseline of this data set, backbone and protocols, if that is asked for and there is one."""
        dataset = (self.dataset_meta or {}).get('dataset')
        if not self._find or self.baseline is not None:
            return
        if dataset is None or self._backbone is None:
            _log("delta_m will not be computed: baseline='auto' needs to know the data set and the backbone")
            return
        protocols = {metric.task: metric.protocol for metric in self._main_metrics()}
        found = find_baselines(dataset, self._backbone, protocols, self._setting())
        if len(found) == 1:
            self.baseline = found[0]
            return
        where = ', '.join(filter(None, (canonical_dataset(dataset), self._setting())))
        what = f'of {where}, {self._backbone} and the protocols {protocols}'
        if found:
            names = ', '.join(repr(baseline.name) for baseline in found)
            _log(f'delta_m will not be computed: there are several baselines {what}; name one: {names}')
        else:
            _log(f'delta_m will not be computed: no baseline {what} is shipped. {HOW_TO_MAKE}')

    def _differences(self) -> list[str]:
        """Why the baseline's scores and ours are not comparable, as far as it is known; one entry a reason."""
        if self.baseline is None:
            return []
        found = []
        for metric in self._main_metrics():
            theirs = self.baseline.protocols.get(metric.task, metric.protocol)
            if theirs != metric.protocol:
                found.append(
                    f'was made under protocol {theirs!r} for {metric.task!r}, but the metric uses {metric.protocol!r}'
                )
        if self._backbone and canonical_backbone(self.baseline.backbone) != canonical_backbone(self._backbone):
            found.append(f'has the backbone {self.baseline.backbone}, but the model has {self._backbone}')
        dataset = (self.dataset_meta or {}).get('dataset')
        if dataset and canonical_dataset(self.baseline.dataset) != canonical_dataset(dataset):
            found.append(f'is of the data set {self.baseline.dataset}, but {canonical_dataset(dataset)} is scored')
        elif dataset and self.baseline.setting != self._setting():
            found.append(
                f'is of {self.baseline.setting or "the whole data set"}, but {self._setting() or "that"} is scored'
            )
        return found

    def _setting(self) -> str:
        """What sets the data that are scored apart; '' for nothing."""
        return ((self.dataset_meta or {}).get('origin') or {}).get('setting', '')

    def _check_comparable(self) -> None:
        """Refuse a baseline that cannot be compared with, or say that it is compared with all the same."""
        reasons = self._differences()
        if not reasons or self.baseline is None:
            return
        what = f'the baseline {self.baseline.name!r} {"; it ".join(reasons)}'
        if not self._force:
            raise ValueError(
                f'{what}: numbers of different protocols, backbones and data sets are never compared. Set the '
                "metric's protocol to the baseline's, take a baseline that fits (baseline='auto' looks for one), or "
                'none (baseline=None); force=True compares all the same and marks delta_m in result.json'
            )
        _log(f'delta_m is forced and compares with no other: {what}')


class _Undefined(Exception):
    """delta_m cannot be computed, for the reason in the message."""


def _log(message: str) -> None:
    """Log a warning to mmengine's current logger."""
    print_log(message, logger='current', level=logging.WARNING)
