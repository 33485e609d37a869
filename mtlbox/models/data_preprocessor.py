"""From a list of samples to a batch on the device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor
from torch.nn import functional as F

from mtlbox.registry import MODELS
from mtlbox.structures import MTLDataSample
from mtlbox.tasks import Task


@MODELS.register_module()
class MultiTaskDataPreprocessor(BaseDataPreprocessor):
    """Normalises and batches images; pads them with zeros and each task's map with its ignore value.

    Maps, which may come as bytes, get their task's type.

    Args:
        tasks: The model's tasks by key; given by the model.
        mean: Subtracted from RGB in 0..255.
        std: Divides what remains.
        size_divisor: Batches are padded at the bottom and right to a multiple of this.
        min_size: (H, W) that batches are padded to at least.
        channels_last: Lay the images out as NHWC, which is faster on recent GPUs and CPUs.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task],
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        size_divisor: int = 1,
        min_size: Sequence[int] = (1, 1),
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        self.tasks, self.size_divisor, self.channels_last = dict(tasks), size_divisor, channels_last
        self.min_size = (int(min_size[0]), int(min_size[1]))
        self.register_buffer('mean', torch.tensor(mean, dtype=torch.float32).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std, dtype=torch.float32).view(3, 1, 1), persistent=False)

    def forward(self, data: dict, training: bool = False) -> dict[str, Any]:
        """Return ``inputs`` ``(B, 3, H, W)`` and ``data_samples``, a list or None.

        Args:
            data: ``inputs``: a list of ``(3, H_i, W_i)`` or a tensor ``(B, 3, H, W)``; ``data_samples``: their
                samples, optional.
            training: Whether the maps are padded with the images, and a task that a sample has no map of gets one that
                is ignored everywhere. At test time labels stay as they are.

        Raises:
            ValueError: The samples are not packed, or, in training, a map and its image differ in size.
        """
        if 'inputs' not in data:
            raise ValueError(
                f"A batch must have 'inputs' and 'data_samples', but has {', '.join(data)}: its pipeline "
                'must end with PackMultiTaskInputs.'
            )
        data = self.cast_data(data)
        images = list(data['inputs'])
        samples: list[MTLDataSample] | None = data.get('data_samples')
        height = max(self.min_size[0], *(image.shape[-2] for image in images))
        width = max(self.min_size[1], *(image.shape[-1] for image in images))
        height, width = (-(-side // self.size_divisor) * self.size_divisor for side in (height, width))
        batch = torch.stack([self._normalise(image, height, width) for image in images])
        if self.channels_last:
            batch = batch.contiguous(memory_format=torch.channels_last)
        for image, sample in zip(images, samples or ()):
            sample.set_metainfo({'pad_shape': (height, width)})
            self._widen_maps(sample)
            if training:
                self._pad_maps(sample, tuple(image.shape[-2:]), height, width)
        return {'inputs': batch, 'data_samples': samples}

    def _normalise(self, image: Tensor, height: int, width: int) -> Tensor:
        image = (image.float() - self.mean) / self.std
        return F.pad(image, (0, width - image.shape[-1], 0, height - image.shape[-2]))

    def _widen_maps(self, sample: MTLDataSample) -> None:
        """Give the maps of ``sample``, which is a copy of the loader's, the types of their tasks."""
        gt = sample.get('gt', {})
        for key, task in self.tasks.items():
            if key in gt:
                element = gt.get(key)
                element.data = task.widen(element.data)

    def _pad_maps(self, sample: MTLDataSample, size: tuple[int, ...], height: int, width: int) -> None:
        """Give ``sample`` a map of every task, at the batch's size, that says whether it is labelled."""
        gt = sample.get('gt')
        maps, labelled = {}, {}
        for key, task in self.tasks.items():
            element = None if gt is None else gt.get(key)
            if element is None:
                maps[key], labelled[key] = task.widen(task.pack(task.empty((height, width)))), False
                continue
            h, w = element.shape
            if (h, w) != size:
                raise ValueError(
                    f'Sample {sample.get("sample_id", "?")}: the map of {key!r} is {h}x{w}, but the image is '
                    f'{size[0]}x{size[1]} (height x width). Training transforms must move the maps with the image.'
                )
            padding = (0, width - w, 0, height - h)
            maps[key] = F.pad(element.data, padding, value=task.ignore_value) if any(padding) else element.data
            labelled[key] = element.get('labelled', True)
        sample.set_maps('gt', {key: data.to(self.device) for key, data in maps.items()}, labelled)
