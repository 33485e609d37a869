"""Metric of boundaries."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmengine.dist import is_main_process

from mtlbox.datasets.image_file import write_png
from mtlbox.datasets.npy import write_whole
from mtlbox.evaluation.functional._arrays import to_numpy
from mtlbox.evaluation.functional.boundary import boundary_counts, boundary_statistic, statistic_scores
from mtlbox.evaluation.functional.boundary.counts import LEVELS
from mtlbox.evaluation.functional.boundary.scores import SCORES
from mtlbox.evaluation.metrics.base import TaskMetric
from mtlbox.evaluation.metrics.work import Job, Workers
from mtlbox.evaluation.protocols import BoundaryProtocol, get_protocol
from mtlbox.registry import METRICS


@METRICS.register_module()
class BoundaryMetric(TaskMetric):
    """odsF (with its precision and recall), oisF and AP of boundaries in percent, by one-to-one matching.

    Each image is matched when it comes, in other processes if there are ``workers``; no predictions are kept.

    Args:
        task: Key of the task.
        protocol: 'bsds', 'astmt', 'survey', 'invpt' or 'mtdp'; all but the first also with '/nyud' behind.
        workers: Processes of each rank that match; with 0 the rank matches itself.
        progress: Whether the main process shows a progress bar on a terminal.
        dump_dir: Folder for what the MATLAB tools read, if given: ``png/NAME.png``, the prediction before suppression
            as 0..255, and ``groundTruth/NAME.mat``, ``groundTruth{a}.Boundaries`` of each annotator a. NAME is the
            stem of the image's path, or its id.
        prefix: As in ``TaskMetric``.
        collect_device: As in ``TaskMetric``.
        collect_dir: As in ``TaskMetric``.

    Raises:
        ValueError: If ``workers`` is negative; of an image whose NAME another one has; as ``TaskMetric``.
    """

    higher_is_better: ClassVar[dict[str, bool]] = dict.fromkeys(SCORES, True)
    unit: ClassVar[dict[str, str]] = dict.fromkeys(SCORES, '%')
    protocol_class = BoundaryProtocol
    channels = 1
    of_classes = False

    def __init__(
        self,
        *,
        task: str,
        protocol: str,
        workers: int = 0,
        progress: bool = True,
        dump_dir: str | None = None,
        prefix: str | None = None,
        collect_device: str = 'cpu',
        collect_dir: str | None = None,
    ) -> None:
        super().__init__(
            task=task, protocol=protocol, prefix=prefix, collect_device=collect_device, collect_dir=collect_dir
        )
        if workers < 0:
            raise ValueError(f'BoundaryMetric of {task}: workers={workers}: expected 0 or more')
        self.workers = workers
        self.progress = progress
        self.dump_dir = None if dump_dir is None else Path(dump_dir)
        self._dumped: dict[str, str] = {}
        self._at_work: Workers | None = None

    @property
    def statistic_shape(self) -> tuple[int, ...]:
        """(T + 1, 4)."""
        return (len(get_protocol(self.protocol, BoundaryProtocol).thresholds) + 1, 4)

    def statistic(self, pred: Any, target: Any) -> np.ndarray:
        """Counts at all thresholds, and at the image's best, from probabilities (1, H, W) and A annotators' maps.

        Args:
            pred: Prediction, (1, H, W).
            target: Ground truth, (A, H, W), one map for each annotator.
        """
        return _statistic(to_numpy(pred), to_numpy(target), self.protocol)

    def fits(self, pred: tuple[int, ...], target: tuple[int, ...]) -> bool:
        """Whether both are of one height and width; the truth may have several annotators."""
        return pred[0] == 1 and pred[1:] == target[1:]

    def statistic_of(self, name: str, pred: Any, target: Any) -> Job:
        """The job whose result is the statistic; the prediction is also written where it is to be."""
        if self._at_work is None:
            description = f'{self.prefix} ({self.protocol})'
            self._at_work = Workers(self.workers, description, self.progress and is_main_process())
        arrays = to_numpy(pred), to_numpy(target)
        try:
            job = self._at_work.add(f'{self.task} of image {name}', _statistic, *arrays, self.protocol)
        except ValueError:  # of this image or of one before it: the evaluation is over
            self._at_work = None
            raise
        if self.dump_dir is not None:
            self._dump(self.dump_dir, name, *arrays)
        return job

    def evaluate(self, size: int) -> dict[str, float]:
        """Scores of the data set, once all images are matched.

        Args:
            size: Number of images in the data set.
        """
        try:
            if self._at_work is not None:
                self._at_work.close()
        finally:
            self._at_work, self._dumped = None, {}
        self.results: list = [kept.result() if isinstance(kept, Job) else kept for kept in self.results]
        return super().evaluate(size)

    def finalise(self, total: np.ndarray) -> dict[str, float]:
        """Scores ``odsF``, ``odsP``, ``odsR``, ``oisF`` and ``AP`` from the summed counts."""
        return statistic_scores(total, get_protocol(self.protocol, BoundaryProtocol).interpolate)

    def _dump(self, root: Path, name: str, pred: np.ndarray, target: np.ndarray) -> None:
        """Write the files of one image. Each appears whole: another rank may write the same one, for padding."""
        stem = Path(name).stem
        if self._dumped.setdefault(stem, name) != name:
            raise ValueError(
                f'{self.task}: the images {self._dumped[stem]} and {name} would both be written as {stem}.png into '
                f'{root}'
            )
        from scipy.io import savemat  # a quarter of a second that only dumping is worth

        annotators = np.empty((1, len(target)), dtype=object)
        for index, one in enumerate(target):
            annotators[0, index] = {'Boundaries': (one == 1).astype(np.uint8)}
        for folder in ('png', 'groundTruth'):
            (root / folder).mkdir(parents=True, exist_ok=True)
        write_png(root / 'png' / f'{stem}.png', np.round(np.clip(pred[0], 0, 1) * LEVELS).astype(np.uint8))
        write_whole(
            root / 'groundTruth' / f'{stem}.mat',
            lambda file: savemat(file, {'groundTruth': annotators}, do_compression=True),
        )


def _statistic(pred: np.ndarray, target: np.ndarray, protocol: str) -> np.ndarray:
    """Statistic of one image under a protocol of that name, where the metric itself cannot go."""
    return boundary_statistic(boundary_counts(pred, target, **get_protocol(protocol, BoundaryProtocol).counting))
