"""The base of metrics that score one task under one protocol."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.structures import BaseDataElement

from mtlbox.evaluation.protocols import Protocol, get_protocol
from mtlbox.registry import did_you_mean
from mtlbox.tasks import Task


class TaskMetric(BaseMetric):
    """Streams one statistic per image of one task and turns their sum into scores.

    A subclass gives ``statistic`` (of one image), ``finalise`` (scores from the sum over images) and the class
    attributes. Exactly one statistic of fixed shape is kept for each image, zeros where the image has no label: so the
    copies that a distributed sampler adds can be told by position and dropped, and no rank ever skips a collective.
    Scores of a data set without any valid pixel are NaN.

    Args:
        task: Key of the task, as in ``sample.gt.<task>``.
        protocol: Name of a protocol in ``mtlbox.evaluation.protocols``.
        prefix: Put before the scores' names, ``<prefix>/<score>``; the task's key if not given. A second metric of one
            task needs another prefix.
        collect_device: 'cpu' or 'gpu', how statistics travel between processes.
        collect_dir: Directory that all processes see, for ``collect_device='cpu'``.

    Raises:
        ValueError: If the protocol is unknown or defines scores of another kind.
    """

    higher_is_better: Mapping[str, bool]
    """Direction of each score; its keys are the names of all scores, of an instance those that its protocol has."""

    unit: Mapping[str, str]
    """Unit of each score, '' for a plain ratio."""

    protocol_class: ClassVar[type[Protocol]]
    """Kind of protocol that defines the scores."""

    channels: ClassVar[int | None] = None
    """Channels C of the maps that it reads; None for any number."""

    of_classes: ClassVar[bool | None] = None
    """Whether the maps hold class numbers, or else quantities; None for either."""

    map_unit: ClassVar[str | None] = None
    """Unit of the maps that it reads; None for any. Tasks that state no unit are taken at their word."""

    def __init__(
        self,
        *,
        task: str,
        protocol: str,
        prefix: str | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
    ) -> None:
        definition = get_protocol(protocol, self.protocol_class)
        super().__init__(collect_device=collect_device, prefix=prefix or task, collect_dir=collect_dir)
        self.task = task
        self.protocol: str = definition.name

    @classmethod
    def misfit(cls, task: Task | type[Task]) -> str:
        """Say why the maps of ``task`` cannot be scored by this metric; return '' where they can."""
        kind = task.__name__ if isinstance(task, type) else type(task).__name__
        if cls.channels not in (None, task.gt_channels):
            given = f'those of a {kind} have {task.gt_channels}'
            return f'it reads maps of {cls.channels} channels, and {given}.'
        if cls.of_classes is not None and cls.of_classes != task.has_classes():
            kinds = ('quantities', 'class numbers')
            wanted, given = kinds[cls.of_classes], kinds[not cls.of_classes]
            return f'it reads {wanted}, and the maps of a {kind} hold {given}.'
        if cls.map_unit is not None and task.unit not in ('', cls.map_unit):
            given = f'the unit of a {kind} is {task.unit!r}'
            return f'it reads maps in the unit {cls.map_unit!r}, and {given}.'
        return ''

    @abstractmethod
    def statistic(self, pred: Any, target: Any) -> np.ndarray:
        """Sufficient statistic of one image.

        Args:
            pred: Prediction, (C, H, W).
            target: Ground truth, (C, H, W).

        Returns:
            float64 array of ``statistic_shape``.
        """

    @abstractmethod
    def finalise(self, total: np.ndarray) -> dict[str, float]:
        """Scores from the sum of statistics, NaN where nothing was valid.

        Args:
            total: float64 array of ``statistic_shape``.
        """

    @property
    @abstractmethod
    def statistic_shape(self) -> tuple[int, ...]:
        """Shape of an image's statistic."""

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Append one statistic per image.

        Args:
            data_batch: Not used.
            data_samples: Samples with predictions as ``MTLDataSample``, or as its ``to_dict()``:
                ``sample['gt'][task]['data']`` and ``sample['pred'][task]['data']``, both (C, H, W).

        Raises:
            ValueError: If a map is missing or has another size than its counterpart, a prediction has NaN, or a label
                is out of range; the message names the image.
        """
        for sample in data_samples:
            self.results.append(self._of_image(sample.to_dict() if isinstance(sample, BaseDataElement) else sample))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Scores of the data set.

        Args:
            results: One statistic per image.
        """
        total = np.zeros(self.statistic_shape)
        for statistic in results:
            total += statistic
        return self.finalise(total)

    def _of_image(self, sample: Mapping[str, Any]) -> np.ndarray:
        """Statistic of one sample, zeros if it is unlabelled; errors name the image."""
        name = image_name(sample)
        truth = self._part(sample, 'gt', name)
        if not truth.get('labelled', True):
            return np.zeros(self.statistic_shape)
        pred, target = self._part(sample, 'pred', name)['data'], truth['data']
        if not self.fits(tuple(pred.shape), tuple(target.shape)):
            raise ValueError(
                f'{self.task} of image {name}: the prediction is {tuple(pred.shape)} and the ground truth '
                f'{tuple(target.shape)} (C, H, W); expected equal shapes, predictions at the size of the label'
            )
        return self.statistic_of(name, pred, target)

    def fits(self, pred: tuple[int, ...], target: tuple[int, ...]) -> bool:
        """Whether maps of these shapes (C, H, W) can be compared: by default, whether they are equal."""
        return pred == target

    def statistic_of(self, name: str, pred: Any, target: Any) -> Any:
        """What is kept of one image until ``evaluate``: its statistic. Errors name the image ``name``."""
        try:
            return self.statistic(pred, target)
        except ValueError as error:
            raise ValueError(f'{self.task} of image {name}: {error}') from error

    def _part(self, sample: Mapping[str, Any], side: str, name: str) -> Mapping[str, Any]:
        """``sample[side][task]``, or a ValueError that says what is there instead."""
        maps = sample.get(side) or {}
        if self.task not in maps:
            what = {'gt': 'ground truth', 'pred': 'prediction'}[side]
            raise ValueError(f'image {name} has no {what} for task {self.task!r}.{did_you_mean(self.task, list(maps))}')
        return maps[self.task]


def image_name(sample: Mapping[str, Any]) -> str:
    """What errors call the image: its path, else its id, else its index in the data set."""
    for key in ('img_path', 'sample_id', 'sample_idx'):
        if sample.get(key) is not None:
            return str(sample[key])
    return '(without img_path, sample_id or sample_idx)'
