"""Metrics of depth and disparity maps."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from mtlbox.evaluation.functional.depth import SCORES, STATISTIC_SIZE, depth_scores, depth_statistic
from mtlbox.evaluation.metrics.base import TaskMetric
from mtlbox.evaluation.protocols import DepthProtocol, get_protocol
from mtlbox.registry import METRICS
from mtlbox.tasks import Depth, Disparity


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
    map_unit: ClassVar[str | None] = Depth.unit

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


@METRICS.register_module()
class DisparityMetric(DepthMetric):
    """rmse and absErr (shares of full scale), relErr and the other scores of depth, of disparity maps.

    relErr divides by the true disparity, which is near 0 far away: it is large, and compares with none of depth.

    Args:
        task: Key of the task.
        protocol: 'pixel-pooled' or 'image-mean', for true disparities above 0; limited ranges are in metres and do
            not apply.
        kwargs: As in ``TaskMetric``: ``prefix``, ``collect_device``, ``collect_dir``.

    Raises:
        ValueError: The protocol has a limited range.
    """

    unit: ClassVar[dict[str, str]] = {**DepthMetric.unit, 'rmse': Disparity.unit, 'absErr': Disparity.unit}
    map_unit = Disparity.unit

    def __init__(self, *, task: str, protocol: str, **kwargs: Any) -> None:
        super().__init__(task=task, protocol=protocol, **kwargs)
        limit = get_protocol(self.protocol, DepthProtocol).valid_range[1]
        if limit != float('inf'):
            raise ValueError(
                f'DisparityMetric: the range of the protocol {self.protocol!r} is in metres, which disparities are '
                f'not. Take {self.protocol.partition("/")[0]!r}.'
            )
