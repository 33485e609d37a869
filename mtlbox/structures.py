"""What travels between the parts: a sample with a map per task, and what a neck returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor


class MTLDataSample(BaseDataElement):
    """One image's ground truth and predictions, each with one map per task.

    ``sample.gt`` and ``sample.pred`` hold one ``PixelData`` per task key, whose ``data`` is ``(C, H, W)``. A task
    that the image has no label for has an all-ignore map in ``gt`` whose ``labelled`` is False, so that batches stay
    rectangular and no code has to ask. Metainfo: ``sample_idx``, ``sample_id``, ``ori_shape`` and ``img_shape``,
    the last two as ``(H, W)``.
    """

    gt: BaseDataElement
    pred: BaseDataElement

    def set_maps(self, name: str, maps: Mapping[str, Tensor], labelled: Mapping[str, bool] | None = None) -> None:
        """Set the field ``name`` (``'gt'`` or ``'pred'``) to one ``PixelData`` per task.

        Args:
            name: The field.
            maps: ``(C, H, W)`` per task key.
            labelled: Whether each map is a real label; all True where not given. Kept for ``gt`` only.
        """
        element = BaseDataElement()
        for key, data in maps.items():
            meta = {'labelled': bool(labelled is None or labelled[key])} if name == 'gt' else {}
            element.set_field(PixelData(metainfo=meta, data=data), key)
        setattr(self, name, element)

    def map(self, name: str, task: str) -> Tensor:
        """Return the map of ``task``, ``(C, H, W)``, in the field ``name``."""
        return getattr(self, name).get(task).data


def stack_maps(samples: list[MTLDataSample], task: str) -> Tensor:
    """Return the ground truth of ``task`` of a batch whose maps have one size, ``(B, C, H, W)``."""
    return torch.stack([sample.map('gt', task) for sample in samples])


@dataclass
class Auxiliary:
    """A prediction that a neck makes on its way and that is supervised as well (deep supervision).

    Attributes:
        task: Key of the task whose label supervises it.
        name: What it is called in the log: its losses are ``{task}/loss_{name}_{loss}``.
        logits: ``(B, K, h, w)``.
        weight: Factor of its loss beside the final prediction's.
        head: Name of the model's auxiliary head that turns it into a loss; None for the task's own head.
    """

    task: str
    name: str
    logits: Tensor
    weight: float = 1.0
    head: str | None = None


@dataclass
class NeckOutput:
    """What a task-interaction neck returns.

    Attributes:
        features: The map that each task's head reads, ``(B, C, h, w)`` per task key.
        auxiliaries: Supervised intermediate predictions.
        losses: The neck's own losses (contrast, distillation), scalars; added to the total as they are.
    """

    features: dict[str, Tensor]
    auxiliaries: list[Auxiliary] = field(default_factory=list)
    losses: dict[str, Tensor] = field(default_factory=dict)
