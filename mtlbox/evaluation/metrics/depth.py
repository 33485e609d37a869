"""Metric of depth maps."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from mtlbox.evaluation.functional.depth import SCORES, STATISTIC_SIZE, depth_scores, depth_statistic
from mtlbox.evaluation.metrics.base import TaskMetric
from mtlbox.evaluation.protocols import DepthProtocol, get_protocol
from mtlbox.registry import METRICS


@METRICS.register_module()
class DepthMetric(TaskMetric):
    """rmse and absErr (metres), relErr, log errors and shares within 1.25^k (percent) of depth maps.

    Args:
        task: Key of the task.
        protocol: 'pixel-pooled' or 'image-mean' for true depths above 0, or one of them followed by '/0-80' or
            '/0-6.5535' for a limited range in metres.
        prefix: As in ``TaskMetric``.
        collect_device: As in ``TaskMetric``.
        collect_dir: As in ``TaskMetric``.
    """

    higher_is_better: ClassVar[dict[str, bool]] = {name: name.startswith('delta') for name in SCORES}
    unit: ClassVar[dict[str, str]] = dict.fromkeys(SCORES, '') | {
        **{'rmse': 'm', 'absErr': 'm'},
        **dict.fromkeys(('delta1', 'delta2', 'delta3'), '%'),
    }
    protocol_class = DepthProtocol
    channels = 1
    of_classes = False

    @property
    def statistic_shape(self) -> tuple[int, ...]:
        """(10,)."""
        return (STATISTIC_SIZE,)

    def statistic(self, pred: Any, target: Any) -> np.ndarray:
        """Sums over valid pixels, or this image's own scores, from maps (1, H, W) in metres."""
        protocol = get_protocol(self.protocol, DepthProtocol)
        return depth_statistic(pred, target, protocol.valid_range, protocol.pooling)

    def finalise(self, total: np.ndarray) -> dict[str, float]:
        """The scores from the summed statistic."""
        return depth_scores(total, get_protocol(self.protocol, DepthProtocol).pooling)
