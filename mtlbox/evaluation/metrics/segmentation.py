"""Metric of class maps."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from mtlbox.evaluation.functional.segmentation import confusion_matrix, segmentation_scores
from mtlbox.evaluation.metrics.base import TaskMetric
from mtlbox.evaluation.protocols import SegProtocol, get_protocol
from mtlbox.registry import METRICS


@METRICS.register_module()
class SegMetric(TaskMetric):
    """mIoU and pixAcc (percent) of class maps: semantic segmentation, human parts.

    Args:
        task: Key of the task.
        protocol: 'pooled-absent-zero' or 'pooled-absent-skipped'; for human parts 'persons-absent-zero' or
            'persons-absent-skipped', which leave out images without a person.
        num_classes: Number of classes K; that of the data set's task (``dataset_meta['tasks'][task].num_classes``) if
            not given.
        ignore_index: Label of the pixels that do not count.
        prefix: As in ``TaskMetric``.
        collect_device: As in ``TaskMetric``.
        collect_dir: As in ``TaskMetric``.
    """

    higher_is_better: ClassVar[dict[str, bool]] = {'mIoU': True, 'pixAcc': True}
    unit: ClassVar[dict[str, str]] = {'mIoU': '%', 'pixAcc': '%'}
    protocol_class = SegProtocol
    channels = 1
    of_classes = True

    def __init__(
        self,
        *,
        task: str,
        protocol: str,
        num_classes: int | None = None,
        ignore_index: int = 255,
        prefix: str | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(
            task=task, protocol=protocol, prefix=prefix, collect_device=collect_device, collect_dir=collect_dir
        )
        if num_classes is not None and num_classes < 1:
            raise ValueError(f'SegMetric of {task}: num_classes={num_classes}: expected at least 1')
        self._num_classes = num_classes
        self.ignore_index = ignore_index

    @property
    def num_classes(self) -> int:
        """Number of classes K.

        Raises:
            ValueError: If it was not given and the data set's metainfo does not tell.
        """
        if self._num_classes is not None:
            return self._num_classes
        tasks = (self.dataset_meta or {}).get('tasks') or {}
        declared = getattr(tasks.get(self.task), 'num_classes', None)
        if declared is None:
            raise ValueError(
                f'SegMetric of {self.task!r} does not know the number of classes: give num_classes=, or a data set '
                f"whose metainfo['tasks'] has {self.task!r} with num_classes (it has {sorted(tasks)})"
            )
        return int(declared)

    @property
    def statistic_shape(self) -> tuple[int, ...]:
        """(K, K)."""
        return (self.num_classes, self.num_classes)

    def statistic(self, pred: Any, target: Any) -> np.ndarray:
        """Confusion matrix (K, K) of one image from label maps (1, H, W)."""
        confusion = confusion_matrix(pred, target, self.num_classes, self.ignore_index)
        if get_protocol(self.protocol, SegProtocol).needs_foreground and not confusion[1:].any():
            return np.zeros_like(confusion)
        return confusion

    def finalise(self, total: np.ndarray) -> dict[str, float]:
        """Scores ``mIoU`` and ``pixAcc`` in percent from the summed confusion matrix."""
        return segmentation_scores(total, get_protocol(self.protocol, SegProtocol).absent)
