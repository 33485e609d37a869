"""Scores of predictions that are stored in files, whoever made them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mtlbox.apis.protocols import main_protocols
from mtlbox.datasets import npy
from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.evaluation import MTLEvaluator
from mtlbox.evaluation.delta_m import named_or_auto
from mtlbox.registry import DATASETS, EVALUATORS, did_you_mean
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import Task
from mtlbox.tasks.base import Array

PATTERNS = ('{stem}_{task}.npy', '{stem}_{task}_16bit.png')
"""What ``tools/infer.py`` writes."""
UNITS = {'m': 1.0, 'cm': 0.01, 'mm': 0.001}
FIELDS = ('task', 'id', 'stem', 'index')
_LARGEST = 2**31
"""No class number is as large."""


@dataclass(frozen=True, kw_only=True)
class PredictionFolder:
    """Reads predictions from files.

    Attributes:
        root: The folder.
        patterns: Names of the files below it, tried in this order: ``{task}``, ``{id}`` (the data set's id of the
            sample), ``{stem}`` (name of its picture without the suffix, else the id) and ``{index}`` are filled in;
            ``{index:05d}`` has five digits. Per task, under '' for the others.
        units: Value of one stored step, per task; ``Task.from_integers`` says what integers mean where it is not given,
            and floats are taken as they are.
        offsets: What is added to the stored values, per task, e.g. -1 where classes are stored from 1.
        resize: Bring predictions of another size to the label's size, by the task's own rule.
    """

    root: Path
    patterns: Mapping[str, Sequence[str]] = field(default_factory=lambda: {'': PATTERNS})
    units: Mapping[str, float] = field(default_factory=dict)
    offsets: Mapping[str, float] = field(default_factory=dict)
    resize: bool = False

    def __post_init__(self) -> None:
        """Refuse units that leave nothing of a value; raise ValueError."""
        for task, unit in self.units.items():
            if not 0 < float(np.float32(unit)) < np.inf:
                raise ValueError(f'the unit of {task!r} must be above 0 and fit 32 bits, but is {unit:g}')

    def find(self, task: Task, sample: MTLDataSample) -> Path:
        """Return the file of a sample.

        Raises:
            FileNotFoundError: There is none; the message says which names were tried and what is there.
            ValueError: A pattern has an unknown field.
        """
        values = self._values(task, sample)
        tried = []
        for pattern in self.patterns.get(task.key, self.patterns.get('', PATTERNS)):
            try:
                path = self.root / pattern.format(**values)
            except (KeyError, IndexError) as error:
                raise ValueError(f'the pattern {pattern!r} has the unknown field {error}; known: {FIELDS}') from None
            except ValueError as error:
                raise ValueError(f'the pattern {pattern!r} cannot be filled in: {error}') from None
            if path.is_file():
                return path
            tried.append(str(path))
        there = sorted(file.name for folder in {Path(name).parent for name in tried} for file in folder.glob('*.*'))
        near = did_you_mean(Path(tried[0]).name, there) if there else ' The folder is empty or not there.'
        raise FileNotFoundError(
            f'there is no prediction of {task.key!r} for sample {values["id"]}: looked for {", ".join(tried)}.{near}'
        )

    def read(self, task: Task, sample: MTLDataSample, size: tuple[int, int]) -> Array:
        """Return the prediction of a sample, (H, W) or (H, W, C) of ``size``.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It cannot be read or has another shape; the message names the file.
        """
        path = self.find(task, sample)
        try:
            with np.errstate(over='ignore', invalid='ignore'):  # what is not finite then, the metric refuses
                return self._decoded(task, self._shaped(task, _stored(path)), size)
        except ValueError as error:
            raise ValueError(str(error) if str(path) in str(error) else f'{path}: {error}') from error

    def _values(self, task: Task, sample: MTLDataSample) -> dict[str, Any]:
        name = str(sample.get('sample_id', sample.get('sample_idx')))
        picture = sample.get('img_path')
        return {
            'task': task.key,
            'id': name,
            'stem': Path(picture).stem if picture else name,
            'index': sample.get('sample_idx'),
        }

    def _shaped(self, task: Task, stored: Array) -> Array:
        """``stored`` as (H, W), or (H, W, C) for tasks of several channels; (C, H, W) is turned."""
        channels = task.gt_channels
        if stored.ndim == 3 and stored.shape[-1] != channels and stored.shape[0] == channels:
            stored = stored.transpose(1, 2, 0)
        if channels == 1 and stored.ndim == 3 and stored.shape[-1] == 1:
            stored = stored[..., 0]
        wanted = 2 if channels == 1 else 3
        if stored.ndim != wanted or (wanted == 3 and stored.shape[-1] != channels):
            shape = '(H, W)' if channels == 1 else f'(H, W, {channels}) or ({channels}, H, W)'
            raise ValueError(f'the shape is {stored.shape}, but a map of {task.key!r} has {shape}')
        return stored

    def _decoded(self, task: Task, stored: Array, size: tuple[int, int]) -> Array:
        values: Array = stored
        if stored.dtype.kind not in 'fiu':
            raise ValueError(f'the values are of type {stored.dtype}, but numbers are expected')
        if task.key in self.units:
            values = stored.astype(np.float32) * np.float32(self.units[task.key])
        elif stored.dtype.kind in 'iu':
            values = task.from_integers(stored)
        if task.key in self.offsets:
            offset = self.offsets[task.key]
            if values.dtype.kind != 'f' and not (float(offset).is_integer() and abs(offset) < _LARGEST):
                raise ValueError(f'the offset of {task.key!r}, {offset:g}, is no whole number, as its values are')
            values = values + values.dtype.type(offset)
        if task.has_classes() and values.dtype.kind == 'f':
            if not (np.abs(values) < _LARGEST).all():  # neither is NaN
                raise ValueError(f'a map of {task.key!r} holds class numbers, but here is NaN or a huge number')
            if not (values == np.round(values)).all():
                raise ValueError(f'a map of {task.key!r} holds class numbers, but here are fractions')
            values = values.astype(np.int64)
        if values.shape[:2] != size:
            if not self.resize:
                raise ValueError(
                    f'the prediction is {values.shape[0]}x{values.shape[1]} and the label {size[0]}x{size[1]}: '
                    'predictions must have the size of the label, or be resized on demand'
                )
            values = task.resample(values if values.dtype.kind == 'f' else values.astype(np.float32), size)
        return values


def _stored(path: Path) -> Array:
    """What is in a file, channels as R, G, B."""
    if path.suffix == '.npy':
        return npy.load(path)
    if path.suffix.lower() not in ('.png', '.tif', '.tiff', '.bmp'):
        raise ValueError(f'{path}: predictions are read from .npy and lossless pictures (.png, .tif, .bmp)')
    content = np.frombuffer(path.read_bytes(), np.uint8)
    picture = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if len(content) else None
    if picture is None:
        raise ValueError(f'{path} is {"not a picture that can be read" if len(content) else "empty"}')
    return picture[..., ::-1] if picture.ndim == 3 else picture


def score_predictions(
    cfg: Config,
    folder: PredictionFolder,
    *,
    tasks: Collection[str] | None = None,
    backbone: str | None = None,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> dict[str, Any]:
    """Score stored predictions against the test data and by the test metrics of a config.

    Args:
        cfg: A config that ``load_config`` has read.
        folder: Where the predictions are.
        tasks: Which tasks were predicted; all that have a metric if not given.
        backbone: Backbone of the network that made them. It is needed for delta_m, which compares networks of one
            backbone.
        progress: Wraps the iteration over samples.

    Returns:
        'scores', 'protocols', 'primary', 'data', 'backbone' and 'baseline', as in a ``result.json``.

    Raises:
        FileNotFoundError: A prediction is missing.
        ValueError: A prediction cannot be read or scored, or a task has no metric; the message names it.
    """
    init_default_scope(cfg.get('default_scope', 'mtlbox'))
    dataset: MultiTaskDataset = DATASETS.build(cfg.test_dataloader.dataset)
    evaluator = _evaluator(cfg.test_evaluator, tasks, backbone)
    evaluator.dataset_meta = dataset.metainfo
    for what, given in (('pattern', folder.patterns), ('unit', folder.units), ('offset', folder.offsets)):
        for key in given:
            if key and key not in dataset.tasks:
                raise ValueError(f'a {what} is given for {key!r}, which is no task.{did_you_mean(key, dataset.tasks)}')
    scored = {key: dataset.tasks[key] for key in dict.fromkeys(metric.task for metric in evaluator.task_metrics)}
    for index in progress(range(len(dataset))):
        sample: MTLDataSample = dataset[index]['data_samples']
        maps = {}
        for key, task in scored.items():
            truth = sample.gt.get(key)
            size = tuple(truth.data.shape[-2:])
            labelled = truth.get('labelled', True)
            truth.data = task.widen(truth.data)
            maps[key] = task.widen(task.pack(folder.read(task, sample, size) if labelled else task.empty(size)))
        sample.set_maps('pred', maps)
        evaluator.process([sample])
    return {**evaluator.description(), 'scores': evaluator.evaluate(len(dataset))}


def _evaluator(config: Any, tasks: Collection[str] | None, backbone: str | None) -> MTLEvaluator:
    """The config's evaluator for some tasks, without a baseline where the backbone is not known."""
    config = dict(config) if isinstance(config, Mapping) and 'metrics' in config else {'metrics': config}
    metrics = config['metrics'] if isinstance(config['metrics'], Sequence) else [config['metrics']]
    if tasks is not None:
        known = [metric['task'] for metric in metrics]
        for task in tasks:
            if task not in known:
                raise ValueError(f'no metric of the config scores {task!r}.{did_you_mean(task, known)}')
        metrics = [metric for metric in metrics if metric['task'] in tasks]
        primary = {task: score for task, score in (config.get('primary') or {}).items() if task in tasks}
        config['primary'] = primary
    config['metrics'] = metrics
    if backbone is None:
        config['baseline'] = None
    elif not config.get('force'):
        config['baseline'] = named_or_auto(config.get('baseline'), main_protocols(metrics), backbone)
    evaluator = EVALUATORS.build({'type': 'MTLEvaluator', **config})
    if not isinstance(evaluator, MTLEvaluator):
        raise ValueError(f'the evaluator must be an MTLEvaluator, but is {type(evaluator).__name__}')
    evaluator.backbone = backbone
    return evaluator
