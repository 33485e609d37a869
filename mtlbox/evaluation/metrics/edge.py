"""Metric of regressed edge strengths."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from mtlbox.evaluation.functional.edge import SCORES, edge_scores, edge_statistic
from mtlbox.evaluation.metrics.base import TaskMetric
from mtlbox.evaluation.protocols import EdgeProtocol, get_protocol
from mtlbox.registry import METRICS


@METRICS.register_module()
class EdgeMetric(TaskMetric):
    """F1, precision and recall (percent) of regressed edge strengths.

    Args:
        task: Key of the task.
        protocol: 'vtagml'.
        prefix: As in ``TaskMetric``.
        collect_device: As in ``TaskMetric``.
        collect_dir: As in ``TaskMetric``.
    """

    higher_is_better: ClassVar[dict[str, bool]] = dict.fromkeys(SCORES, True)
    unit: ClassVar[dict[str, str]] = dict.fromkeys(SCORES, '%')
    protocol_class = EdgeProtocol
    channels = 1
    of_classes = False

    @property
    def statistic_shape(self) -> tuple[int, ...]:
        """(4,)."""
        return (4,)

    def statistic(self, pred: Any, target: Any) -> np.ndarray:
        """Pixel counts of one image from strengths (1, H, W)."""
        return edge_statistic(pred, target, get_protocol(self.protocol, EdgeProtocol).threshold)

    def finalise(self, total: np.ndarray) -> dict[str, float]:
        """Scores ``F1``, ``precision`` and ``recall`` from the summed counts."""
        return edge_scores(total)
