"""The evaluator of several data sets at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement

from mtlbox.evaluation.evaluator import MTLEvaluator
from mtlbox.registry import EVALUATORS, did_you_mean


@EVALUATORS.register_module()
class JointEvaluator(MTLEvaluator):
    """Scores each data set of a ``JointDataset`` by an evaluator of its own, with its metrics, protocols and baseline.

    Scores are named ``<data set>/<prefix>/<score>``, e.g. 'nyud/depth/rmse', and ``<data set>/delta_m``. To the others'
    evaluators a sample is one without labels, so that all count the same samples on all ranks.

    Args:
        evaluators: An ``MTLEvaluator`` or its config for each data set, by the data set's name.

    Raises:
        ValueError: There is none.
    """

    def __init__(self, *, evaluators: Mapping[str, Mapping[str, Any] | MTLEvaluator]) -> None:
        if not evaluators:
            raise ValueError('JointEvaluator needs an evaluator at least: evaluators=dict(nyud=..., pascal=...).')
        self.evaluators: dict[str, MTLEvaluator] = {
            name: one if isinstance(one, MTLEvaluator) else EVALUATORS.build({'type': 'MTLEvaluator', **one})
            for name, one in evaluators.items()
        }
        Evaluator.__init__(self, [metric for one in self.evaluators.values() for metric in one.metrics])
        self.baseline = None  # each evaluator has its own

    @property
    def backbone(self) -> str | None:
        """Name of the backbone of the network whose predictions are scored, where it is known."""
        return next(iter(self.evaluators.values())).backbone

    @backbone.setter
    def backbone(self, backbone: str | None) -> None:
        """Say which backbone the network has; raise ValueError as in ``MTLEvaluator``."""
        for one in self.evaluators.values():
            one.backbone = backbone

    @property
    def dataset_meta(self) -> dict | None:
        """Metainfo of the ``JointDataset``."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        """Hand each evaluator the metainfo of its data set.

        Raises:
            ValueError: There is no such data set, or as in ``MTLEvaluator``.
        """
        there = dataset_meta.get('datasets') or {}
        for name, one in self.evaluators.items():
            if name not in there:
                raise ValueError(
                    f'JointEvaluator has an evaluator for {name!r}, but no data set of this name is evaluated.'
                    f'{did_you_mean(name, there)}'
                )
            one.dataset_meta = there[name]
        self._dataset_meta = dataset_meta

    def process(self, data_samples: Sequence[Any], data_batch: Any = None) -> None:
        """Add predictions.

        Args:
            data_samples: Samples with predictions, whose ``domain`` names their data set.
            data_batch: Not used.
        """
        samples = [sample.to_dict() if isinstance(sample, BaseDataElement) else sample for sample in data_samples]
        for name, one in self.evaluators.items():
            one.process([s if s.get('domain') == name else _unlabelled(s) for s in samples], data_batch)

    def evaluate(self, size: int) -> dict[str, float]:
        """Return the scores of all data sets.

        Args:
            size: Number of images of all data sets together.
        """
        return self._named({name: one.evaluate(size) for name, one in self.evaluators.items()})

    def protocols(self) -> dict[str, str]:
        """Protocol of each prefix, with its data set."""
        return self._named({name: one.protocols() for name, one in self.evaluators.items()})

    def description(self) -> dict[str, Any]:
        """What a ``result.json`` says of its scores; ``data`` and ``baseline`` by data set."""
        each = {name: one.description() for name, one in self.evaluators.items()}
        return {
            'backbone': self.backbone,
            'data': {name: one['data'] for name, one in each.items()},
            'protocols': self.protocols(),
            'primary': self.primary_scores(),
            'baseline': {name: one['baseline'] for name, one in each.items()},
        }

    def comparison(self) -> dict[str, Any] | None:
        """None: each data set has a comparison of its own, in :meth:`description`."""
        return None

    def other_data(self) -> str:
        """Why the data are not what shipped baselines were measured on; '' where nothing is known."""
        return '; '.join(reason for one in self.evaluators.values() if (reason := one.other_data()))

    def higher_is_better(self, score: str) -> bool:
        """Direction of a score '<data set>/...'; raise ValueError where there is no such score."""
        name, _, own = score.partition('/')
        if name not in self.evaluators:
            raise ValueError(f'no metric gives a score {score!r}.{did_you_mean(score, self.score_names())}')
        return self.evaluators[name].higher_is_better(own)

    def score_names(self) -> list[str]:
        """Names of the scores that ``evaluate`` gives."""
        return [f'{name}/{score}' for name, one in self.evaluators.items() for score in one.score_names()]

    def primary_scores(self) -> dict[str, str]:
        """Full name of the score that stands for each task of each data set, by '<data set>/<task>'."""
        return {
            f'{name}/{task}': f'{name}/{score}'
            for name, one in self.evaluators.items()
            for task, score in one.primary_scores().items()
        }

    @staticmethod
    def _named(each: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        return {f'{name}/{key}': value for name, one in each.items() for key, value in one.items()}


def _unlabelled(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``sample`` as one without any label; maps are not copied."""
    return {**sample, 'gt': {task: {**truth, 'labelled': False} for task, truth in (sample.get('gt') or {}).items()}}
