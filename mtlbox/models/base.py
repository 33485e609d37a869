"""What every multi-task model is to the Runner."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.model import BaseModel, BaseModule
from torch import Tensor, nn

from mtlbox.registry import MODELS, WEIGHTINGS
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import Task, build_tasks


class BaseMultiTaskModel(BaseModel):
    """A model of several tasks with the three modes of mmengine's ``BaseModel``.

    Losses are named ``{task}/loss_{...}``, or ``neck/{...}`` for those that belong to no task. The weighting
    turns the sum of each task's losses into the total; it works in :meth:`parse_losses`, which DDP calls as well.
    ``loss_observers`` are called there with what will be logged, on every rank, between forward and backward pass; one
    that raises stops the step before any weight has changed.

    Args:
        tasks: The tasks by key, built or as configs.
        weighting: How the tasks' losses become one; their plain sum where not given.
        data_preprocessor: The preprocessor; a ``MultiTaskDataPreprocessor`` where not given.
        skip_unlabelled: Leave the heads and losses out of tasks that no image of the batch, of any rank, has a label
            for, so that the optimizer leaves what only they use alone; DDP then looks for unused parameters. Else
            their losses are zeros, which AdamW's weight decay and momentum do not heed. Where no task has a label, all
            take part.
        channels_last: Lay the weights of convolutions, and the images, out as NHWC: the same function, in another order
            in memory, which on larger images takes less time. A subclass calls :meth:`lay_out` when it is built.
        init_cfg: Initialisation as in mmengine.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task | Mapping],
        weighting: Mapping | nn.Module | None = None,
        data_preprocessor: Mapping | nn.Module | None = None,
        skip_unlabelled: bool = False,
        channels_last: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        built = build_tasks(tasks)
        if not isinstance(data_preprocessor, nn.Module):
            config = {'type': 'MultiTaskDataPreprocessor', 'tasks': built, **(data_preprocessor or {})}
            data_preprocessor = MODELS.build(config)
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.tasks, self.skip_unlabelled, self.channels_last = built, skip_unlabelled, channels_last
        self.loss_observers: list[Callable[[dict[str, Tensor]], None]] = []
        if isinstance(weighting, nn.Module):
            self.weighting: nn.Module = weighting
        else:
            self.weighting = WEIGHTINGS.build({'type': 'FixedWeighting', 'tasks': built, **(weighting or {})})

    def lay_out(self, memory_format: torch.memory_format = torch.channels_last) -> None:
        """Lay parameters of four axes out as NHWC if ``channels_last``; what is loaded or copied later keeps to it."""
        if self.channels_last:
            for parameter in self.parameters():
                if parameter.dim() == 4:
                    parameter.data = parameter.data.contiguous(memory_format=memory_format)

    def trained_apart(self) -> list[nn.Module]:
        """Return the parts that share nothing and are trained side by side: none but the model itself, unless said."""
        return [self]

    def init_weights(self) -> None:
        """Initialise every part, those in torch's containers included.

        mmengine goes from a module to its children and stops at torch's containers, behind which a pretrained backbone
        of a single-task network would be left as it was drawn. What is inside a module of mmengine's is its own affair,
        and weights of the whole model come last. The layout of the weights changes nothing of what a seed draws.
        """
        self.lay_out(torch.contiguous_format)  # random numbers are drawn in the order of memory
        _init_behind_containers(self)
        super().init_weights()
        self.lay_out()

    def forward(
        self, inputs: Tensor, data_samples: list[MTLDataSample] | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | list[MTLDataSample] | tuple[Tensor, dict[str, Tensor]]:
        """Run the model.

        Args:
            inputs: Images from the preprocessor, ``(B, 3, H, W)``.
            data_samples: Their samples; needed by all modes but ``tensor``.
            mode: ``'loss'``: return ``{name: scalar}``; ``'step'``: return what :meth:`parse_losses` makes of them, for
                wrappers whose forward pass must hold all of a step; ``'predict'``: return the samples with ``pred``
                set, each map at its image's own size; ``'tensor'``: return ``{task: logits (B, K, h, w)}``.
        """
        if self.channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        if mode == 'tensor':
            return self.logits(inputs)
        if mode not in ('loss', 'step', 'predict'):
            raise ValueError(f"mode must be 'loss', 'step', 'predict' or 'tensor', but is {mode!r}.")
        if data_samples is None:
            raise ValueError(f'The mode {mode!r} needs data_samples.')
        if mode == 'step':
            return self.parse_losses(self.forward(inputs, data_samples, 'loss'))  # type: ignore[arg-type]
        if mode == 'loss':
            return {**self.loss(inputs, data_samples), **self._labelled_share(data_samples)}
        maps = self.predict(inputs, data_samples)
        for i, sample in enumerate(data_samples):
            sample.set_maps('pred', {key: maps[key][i] for key in self.tasks})
        return data_samples

    @abstractmethod
    def logits(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return ``{task: logits (B, K, h, w)}``."""

    @abstractmethod
    def loss(self, inputs: Tensor, data_samples: list[MTLDataSample]) -> dict[str, Tensor]:
        """Return ``{'{task}/loss_{name}': scalar}``."""

    @abstractmethod
    def predict(self, inputs: Tensor, data_samples: list[MTLDataSample]) -> dict[str, list[Tensor]]:
        """Return ``{task: one map (C, H, W) per sample}``."""

    def supervised(self, data_samples: list[MTLDataSample]) -> list[str]:
        """Return the keys of the tasks that take part in a step, the same on all ranks; see ``skip_unlabelled``.

        A collective operation where some may be left out.
        """
        if not self.skip_unlabelled:
            return list(self.tasks)
        share = self._share(data_samples).tolist()
        return [key for key, part in zip(self.tasks, share) if part > 0] or list(self.tasks)

    def _labelled_share(self, data_samples: list[MTLDataSample]) -> dict[str, Tensor]:
        share = self._share(data_samples).to(self.data_preprocessor.device)
        return {f'{key}/labelled': share[i] for i, key in enumerate(self.tasks)}

    def _share(self, data_samples: list[MTLDataSample]) -> Tensor:
        """Return which share of the batch, over all ranks, has a label, by task."""
        flags = [[float(sample.gt.get(key).labelled) for key in self.tasks] for sample in data_samples]
        share = torch.tensor(flags).mean(0)
        if get_world_size() > 1:
            share = share.to(self.data_preprocessor.device)
            all_reduce(share, op='mean')
        return share

    def parse_losses(self, losses: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total and the values to log: the total as ``loss`` and every part under its own name.

        What is logged is the mean over the ranks, so it is that of the whole batch, and NaN on every rank where it is
        NaN on one. :attr:`loss_observers` see it before anything is updated.
        """
        by_task: dict[str, Tensor] = {}
        labelled, logs, own = {}, {}, []
        for name, value in losses.items():
            owner, _, part = name.rpartition('/')
            if part == 'labelled':
                labelled[owner] = value
                continue
            logs[name] = value.detach()
            if owner not in self.tasks:
                own.append(value)
            else:
                by_task[owner] = by_task[owner] + value if owner in by_task else value
        total, weights = self.weighting(by_task, labelled)
        for value in own:
            total = total + value
        logs = _mean_over_ranks({'loss': total.detach(), **logs, **weights})
        for observer in self.loss_observers:
            observer(logs)
        return total, logs


def _mean_over_ranks(values: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the mean of each scalar over the ranks, by one collective operation."""
    if get_world_size() == 1:
        return values
    means = torch.stack([value.to(torch.float32) for value in values.values()])
    all_reduce(means, op='mean')
    return dict(zip(values, means.unbind()))


def _init_behind_containers(module: nn.Module) -> None:
    """Initialise what has an ``init_cfg`` among the children, and among those in torch's containers."""
    for child in module.children():
        if isinstance(child, BaseModule):
            asked = any(getattr(part, 'init_cfg', None) for part in child.modules())
            if asked and not child.is_init:
                child.init_weights()
        elif type(child).__module__.startswith('torch.nn'):
            _init_behind_containers(child)
