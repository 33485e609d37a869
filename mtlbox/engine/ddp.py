"""Data parallel training in which the whole loss is made inside the wrapper's forward pass."""

from __future__ import annotations

from typing import Any

from mmengine.model import MMDistributedDataParallel
from mmengine.model.utils import detect_anomalous_params
from mmengine.optim import OptimWrapper
from torch import Tensor

from mtlbox.models.base import BaseMultiTaskModel
from mtlbox.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class MTLDistributedDataParallel(MMDistributedDataParallel):
    """mmengine's DDP, with the weighting of the tasks inside the forward pass.

    With ``find_unused_parameters``, torch looks for the parameters that a step uses from what the forward pass returns.
    mmengine makes the total loss after it, so that learnt weights would be taken for unused, and an error would follow.
    """

    def train_step(self, data: dict | tuple | list, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Take a step and return what is logged."""
        module: Any = self.module
        if not isinstance(module, BaseMultiTaskModel):
            return super().train_step(data, optim_wrapper)
        with optim_wrapper.optim_context(self):
            total, logs = self._run_forward(module.data_preprocessor(data, training=True), mode='step')
        optim_wrapper.update_params(total)
        if self.detect_anomalous_params:
            detect_anomalous_params(total, model=self)
        return logs
