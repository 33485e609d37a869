"""The base of all heads: one forward pass, read once for the loss and once for the prediction."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mtlbox.models.layers.resize import resize
from mtlbox.structures import MTLDataSample, stack_maps
from mtlbox.tasks import Task


class TaskHead(BaseModule):
    """Turns the features of one task into its logits, and those into a loss or a prediction.

    A head of yours overrides :meth:`forward`.

    Args:
        task: The task; given by the model.
        losses: The task's losses; given by the model.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(self, *, task: Task, losses: Sequence[nn.Module], init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.task = task
        self.losses = nn.ModuleList(losses)
        names = [loss.name for loss in losses]
        if len(set(names)) != len(names):
            raise ValueError(f'Two losses of {task.key!r} have one name: {names}.')

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Return the logits ``(B, K, h, w)`` of features ``(B, C, h', w')``."""

    def loss(self, features: Tensor, data_samples: list[MTLDataSample]) -> dict[str, Tensor]:
        """Return the losses of ``features``; see :meth:`loss_by_feat`."""
        return self.loss_by_feat(self(features), data_samples)

    def predict(self, features: Tensor, data_samples: list[MTLDataSample]) -> list[Tensor]:
        """Return the predictions of ``features``; see :meth:`predict_by_feat`."""
        return self.predict_by_feat(self(features), data_samples)

    def loss_by_feat(
        self, logits: Tensor, data_samples: list[MTLDataSample], name: str | None = None
    ) -> dict[str, Tensor]:
        """Return ``{loss_{name}_{loss}: scalar}``.

        Args:
            logits: ``(B, K, h, w)``; brought to the size of the labels first.
            data_samples: Samples whose labels of this task have one size.
            name: What the prediction is called if it is not the final one.
        """
        target = stack_maps(data_samples, self.task.key)
        mask = self.task.valid(target)
        logits = resize(logits, target.shape[-2:])
        prefix = f'loss_{name}_' if name else 'loss_'
        return {f'{prefix}{loss.name}': loss(logits, target, mask) for loss in self.losses}

    def predict_by_feat(self, logits: Tensor, data_samples: list[MTLDataSample]) -> list[Tensor]:
        """Return one prediction ``(C, H, W)`` per sample, at the size that its image had in the file.

        Args:
            logits: ``(B, K, h, w)`` of the padded batch.
            data_samples: Their ``pad_shape``, ``img_shape`` and ``ori_shape`` say what to cut off and undo.

        Raises:
            ValueError: The logits of a sample are NaN; the message names it.
        """
        predictions = []
        spoilt = torch.isnan(logits).flatten(1).any(1).tolist()
        for one, sample, is_nan in zip(logits.split(1), data_samples, spoilt):
            if is_nan:
                name = next((sample.get(key) for key in ('img_path', 'sample_id', 'sample_idx') if key in sample), '?')
                raise ValueError(f'{self.task.key} of image {name}: the prediction has NaN.')
            height, width = sample.img_shape
            one = resize(one, sample.get('pad_shape', sample.img_shape))[..., :height, :width]
            predictions.append(self.task.decode(resize(one, sample.ori_shape))[0])
        return predictions
