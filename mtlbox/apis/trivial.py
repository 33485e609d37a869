"""Predictors that do not look at the image: what any trained network must beat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor

from mtlbox.datasets.base import MultiTaskDataset
from mtlbox.models.base import BaseMultiTaskModel
from mtlbox.registry import DATASETS, EVALUATORS, MODELS
from mtlbox.structures import MTLDataSample
from mtlbox.tasks.base import Array


@MODELS.register_module()
class ConstantPredictor(BaseMultiTaskModel):
    """Predicts the same everywhere: the commonest class, the mean depth, the mean normal.

    Args:
        constants: Prediction ``(C,)`` per task key; :func:`fit_constants` finds the best ones.
        tasks: The tasks by key.
    """

    def __init__(self, *, constants: Mapping[str, Array], tasks: Mapping[str, Any]) -> None:
        super().__init__(tasks=tasks)
        self.constants = {key: torch.as_tensor(np.asarray(value)) for key, value in constants.items()}

    def logits(self, inputs: Tensor) -> dict[str, Tensor]:
        """There are none; raise TypeError."""
        raise TypeError('A constant predictor has no logits.')

    def loss(self, inputs: Tensor, data_samples: list[MTLDataSample]) -> dict[str, Tensor]:
        """There is nothing to train; raise TypeError."""
        raise TypeError('A constant predictor cannot be trained.')

    def predict(self, inputs: Tensor, data_samples: list[MTLDataSample]) -> dict[str, list[Tensor]]:
        """Return ``{task: one map (C, H, W) per sample}``."""
        return {
            key: [value.to(self.tasks[key].dtype)[:, None, None].expand(-1, *s.ori_shape) for s in data_samples]
            for key, value in self.constants.items()
        }


def fit_constants(dataset: MultiTaskDataset, indices: Iterable[int]) -> dict[str, Array]:
    """Return the best constant prediction ``(C,)`` of each task over some samples of a training set."""
    samples = [dataset.load_sample(index)['gt'] for index in indices]
    return {
        key: task.constant(gt[key] for gt in samples if key in gt)
        for key, task in dataset.tasks.items()
        if any(key in gt for gt in samples)
    }


def score_trivial(cfg: Config, num_train: int = 200) -> dict[str, float]:
    """Return the scores of the trivial predictors on a config's test set, by the config's own evaluator.

    Args:
        cfg: A config that ``load_config`` has read.
        num_train: How many training samples the constants are taken from.
    """
    init_default_scope(cfg.get('default_scope', 'mtlbox'))
    train = DATASETS.build(cfg.train_dataloader.dataset)
    test = DATASETS.build(cfg.test_dataloader.dataset)
    evaluator = EVALUATORS.build(cfg.test_evaluator)
    evaluator.dataset_meta = test.metainfo
    model = ConstantPredictor(constants=fit_constants(train, range(min(num_train, len(train)))), tasks=train.tasks)
    for index in range(len(test)):
        packed = test[index]
        batch = {'inputs': [packed['inputs']], 'data_samples': [packed['data_samples']]}
        evaluator.process(model.test_step(batch), batch)
    return evaluator.evaluate(len(test))
