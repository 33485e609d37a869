"""Metric of saliency maps."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from mtlbox.evaluation.functional.saliency import SCORES, saliency_scores, saliency_statistic
from mtlbox.evaluation.metrics.base import TaskMetric
from mtlbox.evaluation.protocols import SaliencyProtocol, get_protocol
from mtlbox.registry import METRICS


@METRICS.register_module()
class SaliencyMetric(TaskMetric):
    """maxF, and under 'astmt' mIoU, of saliency maps (percent).

    Args:
        task: Key of the task.
        protocol: 'astmt', 'atrc' or 'invpt'.
        prefix: As in ``TaskMetric``.
        collect_device: As in ``TaskMetric``.
        collect_dir: As in ``TaskMetric``.
    """

    higher_is_better = dict.fromkeys(SCORES, True)
    unit = dict.fromkeys(SCORES, '%')
    protocol_class: ClassVar = SaliencyProtocol
    channels = 1
    of_classes = False

    def __init__(
        self,
        *,
        task: str,
        protocol: str,
        prefix: str | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(
            task=task, protocol=protocol, prefix=prefix, collect_device=collect_device, collect_dir=collect_dir
        )
        scores = get_protocol(self.protocol, SaliencyProtocol).scores
        self.higher_is_better = dict.fromkeys(scores, True)
        self.unit = dict.fromkeys(scores, '%')

    @property
    def statistic_shape(self) -> tuple[int, ...]:
        """(T, 4)."""
        return (len(get_protocol(self.protocol, SaliencyProtocol).thresholds), 4)

    def statistic(self, pred: Any, target: Any) -> np.ndarray:
        """Counts, or this image's own scores, at all thresholds from probabilities and labels (1, H, W)."""
        protocol = get_protocol(self.protocol, SaliencyProtocol)
        return saliency_statistic(pred, target, protocol.thresholds, strict=protocol.strict, pooling=protocol.pooling)

    def finalise(self, total: np.ndarray) -> dict[str, float]:
        """The protocol's scores from the summed statistic."""
        protocol = get_protocol(self.protocol, SaliencyProtocol)
        scores = saliency_scores(total, protocol.pooling, protocol.beta_squared)
        return {name: scores[name] for name in protocol.scores}
