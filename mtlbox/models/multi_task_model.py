"""One network for several tasks: backbone, neck, one head per task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from mtlbox.models.base import BaseMultiTaskModel
from mtlbox.models.heads import TaskHead
from mtlbox.models.layers.checks import reject_unknown
from mtlbox.models.losses import check_fit
from mtlbox.registry import BACKBONES, HEADS, LOSSES, MODELS, NECKS
from mtlbox.structures import Auxiliary, MTLDataSample, NeckOutput
from mtlbox.tasks import Task


def select_by_task(given: Mapping[str, Any], tasks: Mapping[str, Task], what: str) -> dict[str, Any]:
    """Return one config per task from either one config for all tasks (it has ``type``) or a dict by task key.

    Raises:
        ValueError: A key is no task, or a task has no config.
    """
    if 'type' in given:
        return dict.fromkeys(tasks, given)
    reject_unknown(given, tasks, what)
    missing = [key for key in tasks if key not in given]
    if missing:
        raise ValueError(f'{what} has nothing for the task {missing[0]!r}; it names {", ".join(given) or "none"}.')
    return {key: given[key] for key in tasks}


@MODELS.register_module()
class MultiTaskModel(BaseMultiTaskModel):
    """One network for several tasks: a shared backbone, a task-interaction neck, one head per task.

    Args:
        tasks: The tasks by key, built or as configs.
        backbone: Config of the backbone. It returns a tuple of maps, finest first, or one such tuple per task.
        heads: Config of the heads: one for all tasks, or one by task key.
        losses: Config of the losses by task key: one loss, or a list of them.
        neck: Config of the neck; without one, the heads read the backbone's output.
        weighting: How the tasks' losses become one; their plain sum where not given.
        auxiliary_heads: Configs of heads that only turn a neck's auxiliary output into a loss, by name; each has
            a ``task`` and ``losses`` of its own.
        data_preprocessor: The preprocessor; a ``MultiTaskDataPreprocessor`` where not given.
        skip_unlabelled: Leave tasks out that no image of a batch has a label for, as in ``BaseMultiTaskModel``. The
            neck is run for all of them.
        channels_last: Lay weights and images out as NHWC, see ``BaseMultiTaskModel``.
        init_cfg: Initialisation as in mmengine.

    Raises:
        ValueError: A task has no head or no loss, or one is given for something that is not a task.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task | Mapping],
        backbone: Mapping,
        heads: Mapping[str, Any],
        losses: Mapping[str, Any],
        neck: Mapping | None = None,
        weighting: Mapping | nn.Module | None = None,
        auxiliary_heads: Mapping[str, Mapping] | None = None,
        data_preprocessor: Mapping | nn.Module | None = None,
        skip_unlabelled: bool = False,
        channels_last: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            tasks=tasks,
            weighting=weighting,
            data_preprocessor=data_preprocessor,
            skip_unlabelled=skip_unlabelled,
            channels_last=channels_last,
            init_cfg=init_cfg,
        )
        self.backbone = BACKBONES.build(dict(backbone))
        self.neck = NECKS.build({'tasks': self.tasks, **neck}) if neck else None
        head_cfgs = select_by_task(heads, self.tasks, 'heads')
        loss_cfgs = select_by_task(losses, self.tasks, 'losses')
        self.heads = nn.ModuleDict({key: self._head(key, head_cfgs[key], loss_cfgs[key]) for key in self.tasks})
        self.auxiliary_heads = nn.ModuleDict()
        for name, config in (auxiliary_heads or {}).items():
            config = dict(config)
            key, own_losses = config.pop('task'), config.pop('losses')
            reject_unknown({key: config}, self.tasks, f'auxiliary_heads[{name!r}].task')
            self.auxiliary_heads[name] = self._head(key, config, own_losses)
        self.lay_out()

    def _head(self, key: str, head: Mapping, losses: Mapping | list) -> nn.Module:
        configs = losses if isinstance(losses, (list, tuple)) else [losses]
        built = [LOSSES.build(dict(config)) for config in configs]
        for loss in built:
            check_fit(loss, self.tasks[key])
        return HEADS.build({**head, 'task': self.tasks[key], 'losses': built})

    def extract(self, inputs: Tensor, data_samples: list[MTLDataSample] | None = None) -> NeckOutput:
        """Return what the heads read: the neck's output, or the backbone's where there is no neck."""
        features = self.backbone(inputs)
        if self.neck is not None:
            return self.neck(features, data_samples)
        if isinstance(features, Mapping):
            return NeckOutput(features=dict(features))
        return NeckOutput(features=dict.fromkeys(self.tasks, features))

    def logits(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return ``{task: logits (B, K, h, w)}``."""
        features = self.extract(inputs).features
        return {key: self.heads[key](features[key]) for key in self.tasks}

    def loss(self, inputs: Tensor, data_samples: list[MTLDataSample]) -> dict[str, Tensor]:
        """Return the losses of the final predictions, of the neck's auxiliaries and the neck's own."""
        supervised = self.supervised(data_samples)
        output = self.extract(inputs, data_samples)
        losses = {}
        for key in supervised:
            for name, value in self._task_head(key).loss(output.features[key], data_samples).items():
                losses[f'{key}/{name}'] = value
        for auxiliary in output.auxiliaries:
            head = self._auxiliary_head(auxiliary)
            if auxiliary.task not in supervised:
                continue
            for name, value in head.loss_by_feat(auxiliary.logits, data_samples, auxiliary.name).items():
                if f'{auxiliary.task}/{name}' in losses:
                    raise ValueError(f'The neck has two auxiliaries {auxiliary.name!r} of the task {auxiliary.task!r}.')
                losses[f'{auxiliary.task}/{name}'] = auxiliary.weight * value
        losses.update({f'neck/{name}': value for name, value in output.losses.items()})
        return losses

    def predict(self, inputs: Tensor, data_samples: list[MTLDataSample]) -> dict[str, list[Tensor]]:
        """Return ``{task: one map (C, H, W) per sample}`` at the images' own sizes."""
        features = self.extract(inputs).features
        return {key: self._task_head(key).predict(features[key], data_samples) for key in self.tasks}

    def _task_head(self, key: str) -> TaskHead:
        return cast(TaskHead, self.heads[key])

    def _auxiliary_head(self, auxiliary: Auxiliary) -> TaskHead:
        reject_unknown({auxiliary.task: auxiliary}, self.tasks, f"The neck's auxiliary {auxiliary.name!r}")
        if auxiliary.head is None:
            return self._task_head(auxiliary.task)
        if auxiliary.head not in self.auxiliary_heads:
            raise ValueError(
                f'The neck asks for the auxiliary head {auxiliary.head!r}; '
                f'auxiliary_heads has {", ".join(self.auxiliary_heads) or "none"}.'
            )
        return cast(TaskHead, self.auxiliary_heads[auxiliary.head])
