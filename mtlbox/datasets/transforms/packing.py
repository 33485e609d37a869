"""The last transform: from a dict of arrays to what the model takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmcv.transforms import BaseTransform

from mtlbox.datasets.transforms.geometry import Sample
from mtlbox.registry import TRANSFORMS
from mtlbox.structures import MTLDataSample
from mtlbox.tasks.base import planes


@TRANSFORMS.register_module()
class PackMultiTaskInputs(BaseTransform):
    """Pack the image as ``inputs`` ``(3, H, W)`` and the maps as an ``MTLDataSample``.

    A task without a label gets an all-ignore map, as large as one would be, that is flagged unlabelled; so is a label
    that is ignored everywhere, as that of human parts in a crop without a person.

    Args:
        meta_keys: What is kept beside the maps, where the sample has it.
    """

    def __init__(
        self,
        *,
        meta_keys: Sequence[str] = ('sample_idx', 'sample_id', 'img_path', 'ori_shape', 'img_shape', 'flip'),
    ) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, sample: Sample) -> dict[str, Any]:
        """Pack ``sample``."""
        data_sample = MTLDataSample(metainfo={key: sample[key] for key in self.meta_keys if key in sample})
        maps, labelled = {}, {}
        size = next((gt.shape[:2] for gt in sample['gt'].values()), sample.get('gt_shape', sample['img_shape']))
        for key, task in sample['tasks'].items():
            gt = sample['gt'].get(key)
            maps[key] = task.pack(task.empty(size) if gt is None else gt)
            labelled[key] = gt is not None and task.is_labelled(gt)
        data_sample.set_maps('gt', maps, labelled)
        return {'inputs': torch.from_numpy(planes(sample['img'])), 'data_samples': data_sample}
