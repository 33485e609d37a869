"""Metric of surface normals."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from mtlbox.evaluation.functional.normals import STATISTIC_SIZE, normal_scores, normal_statistic
from mtlbox.evaluation.metrics.base import TaskMetric
from mtlbox.evaluation.protocols import NormalsProtocol, get_protocol
from mtlbox.registry import METRICS


@METRICS.register_module()
class NormalsMetric(TaskMetric):
    """Mean, median and rmse angle (degrees) and shares within 11.25, 22.5, 30 degrees (percent) of surface normals.

    Args:
        task: Key of the task.
        protocol: 'atan2' or 'arccos'.
        prefix: As in ``TaskMetric``.
        collect_device: As in ``TaskMetric``.
        collect_dir: As in ``TaskMetric``.
    """

    higher_is_better: ClassVar[dict[str, bool]] = {
        'mErr': False,
        'median': False,
        'rmse': False,
        '11.25': True,
        '22.5': True,
        '30': True,
    }
    unit: ClassVar[dict[str, str]] = {
        'mErr': 'deg',
        'median': 'deg',
        'rmse': 'deg',
        '11.25': '%',
        '22.5': '%',
        '30': '%',
    }
    protocol_class = NormalsProtocol
    channels = 3
    of_classes = False

    @property
    def statistic_shape(self) -> tuple[int, ...]:
        """(6 + 3600,)."""
        return (STATISTIC_SIZE,)

    def statistic(self, pred: Any, target: Any) -> np.ndarray:
        """Sums and a histogram of the angles from vectors (3, H, W)."""
        return normal_statistic(pred, target, get_protocol(self.protocol, NormalsProtocol).angle)

    def finalise(self, total: np.ndarray) -> dict[str, float]:
        """Scores ``mErr``, ``median``, ``rmse``, ``11.25``, ``22.5`` and ``30`` from the summed statistic."""
        return normal_scores(total)
