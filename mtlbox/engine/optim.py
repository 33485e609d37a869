"""Mixed precision on whatever device there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.optim import AmpOptimWrapper as MMEngineAmpOptimWrapper
from mmengine.optim import OptimWrapper

from mtlbox.registry import OPTIM_WRAPPERS


def has_fast_half() -> bool:
    """Say whether mixed precision pays here: on a GPU, or on a CPU with instructions for bfloat16."""
    if get_device() != 'cpu':
        return True
    try:
        flags = Path('/proc/cpuinfo').read_text()
    except OSError:
        return False
    return 'avx512_bf16' in flags or 'amx_bf16' in flags


@OPTIM_WRAPPERS.register_module()
class AmpOptimWrapper(MMEngineAmpOptimWrapper):
    """Mixed precision: mmengine's wrapper on accelerators, bfloat16 autocast without loss scaling on CPUs.

    Args:
        loss_scale: As in mmengine; not used on CPUs.
        dtype: ``'float16'`` or ``'bfloat16'``; CPUs always take bfloat16.
        kwargs: As in mmengine's ``OptimWrapper``.
    """

    def __init__(self, loss_scale: Any = 'dynamic', dtype: str | None = None, **kwargs: Any) -> None:
        if get_device() != 'cpu':
            super().__init__(loss_scale=loss_scale, dtype=dtype, **kwargs)
            return
        OptimWrapper.__init__(self, **kwargs)
        self.loss_scaler = torch.amp.GradScaler('cpu', enabled=False)
        self.cast_dtype = torch.bfloat16
        self._scale_update_param = None
