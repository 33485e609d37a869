"""Metric of boundaries that is a validation loss."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from mtlbox.evaluation.functional.boundary_loss import balanced_loss
from mtlbox.evaluation.metrics.base import TaskMetric
from mtlbox.evaluation.protocols import BoundaryLossProtocol, get_protocol
from mtlbox.registry import METRICS


@METRICS.register_module()
class BoundaryLossMetric(TaskMetric):
    """CTAL's edge score on PASCAL-Context: the balanced loss of boundaries, mean over images, lower is better.

    Args:
        task: Key of the task.
        protocol: 'ctal-edge-loss', or 'ctal-edge-loss/0.95' with fixed weights.
        prefix: As in ``TaskMetric``.
        collect_device: As in ``TaskMetric``.
        collect_dir: As in ``TaskMetric``.
    """

    higher_is_better: ClassVar[dict[str, bool]] = {'edgeLoss': False}
    unit: ClassVar[dict[str, str]] = {'edgeLoss': ''}
    protocol_class = BoundaryLossProtocol
    channels = 1
    of_classes = False

    @property
    def statistic_shape(self) -> tuple[int, ...]:
        """(2,)."""
        return (2,)

    def statistic(self, pred: Any, target: Any) -> np.ndarray:
        """Loss of one image from probabilities and labels (1, H, W), and 1; zeros if no pixel counts."""
        protocol = get_protocol(self.protocol, BoundaryLossProtocol)
        loss = balanced_loss(pred, target, protocol.pos_weight, protocol.second_sigmoid)
        return np.zeros(2) if math.isnan(loss) else np.array([loss, 1.0])

    def finalise(self, total: np.ndarray) -> dict[str, float]:
        """Score ``edgeLoss`` from the summed losses."""
        loss, images = (float(value) for value in total)
        return {'edgeLoss': loss / images if images else float('nan')}
