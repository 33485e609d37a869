"""Mixed precision on any device, clipping of networks that are trained side by side, and the layout of loaded state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.optim import AmpOptimWrapper as MMEngineAmpOptimWrapper
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.optim import Optimizer

from mtlbox.registry import OPTIM_WRAPPERS

AMP_DTYPES = ('float16', 'bfloat16')


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
    """Mixed precision: autocast, with loss scaling where the type is float16.

    bfloat16 has the range of float32, so its gradients do not vanish and nothing is scaled. Gradients are unscaled
    before they are clipped, and a step whose scaled gradients overflow is left out and the scale lowered.

    Args:
        loss_scale: As in mmengine: ``'dynamic'``, a fixed scale, or a dict of ``GradScaler``'s arguments; for float16.
        dtype: ``'float16'`` or ``'bfloat16'``; None: bfloat16 on CPUs, float16 elsewhere.
        kwargs: As in mmengine's ``OptimWrapper``, e.g. ``accumulative_counts`` and ``clip_grad``.

    Raises:
        ValueError: ``dtype`` is neither, or is float16 on a CPU.
    """

    def __init__(self, loss_scale: Any = 'dynamic', dtype: str | None = None, **kwargs: Any) -> None:
        on_cpu = get_device() == 'cpu'
        dtype = dtype or ('bfloat16' if on_cpu else 'float16')
        if dtype not in AMP_DTYPES:
            raise ValueError(f'dtype must be one of {", ".join(AMP_DTYPES)}, but is {dtype!r}.')
        if dtype == 'float16':
            if on_cpu:
                raise ValueError("dtype is 'float16', which needs a GPU. On a CPU take 'bfloat16', or leave it out.")
            super().__init__(loss_scale=loss_scale, dtype=dtype, **kwargs)
            return
        OptimWrapper.__init__(self, **kwargs)
        self.loss_scaler = _idle_scaler()
        self.cast_dtype = torch.bfloat16
        self._scale_update_param = None

    def load_state_dict(self, state_dict: dict) -> None:
        """Load the optimiser's state, and the loss scale where the state was saved with one."""
        scaler = state_dict.get('loss_scaler')
        if scaler is not None and not scaler:  # saved by an idle scaler; one that scales starts anew
            state_dict = {key: value for key, value in state_dict.items() if key != 'loss_scaler'}
        super().load_state_dict(state_dict)


def clip_apart(optim_wrapper: OptimWrapper, parts: Sequence[nn.Module]) -> None:
    """Clip the gradients of each part over its own parameters, as if it were trained alone.

    What is logged as ``grad_norm`` is the largest norm of a part, NaN if one is NaN. Parameters of no part are clipped
    as one more.

    Args:
        optim_wrapper: The wrapper that clips; one without ``clip_grad`` is left as it is.
        parts: The parts; fewer than two change nothing.
    """
    if not optim_wrapper.clip_grad_kwargs or len(parts) < 2:
        return
    part_of = {id(parameter): index for index, part in enumerate(parts) for parameter in part.parameters()}
    clip = optim_wrapper.clip_func

    def clip_each(parameters: Sequence[nn.Parameter], **kwargs: Any) -> Tensor | None:
        groups: dict[int, list[nn.Parameter]] = {}
        for parameter in parameters:
            groups.setdefault(part_of.get(id(parameter), -1), []).append(parameter)
        norms = [norm for norm in (clip(group, **kwargs) for group in groups.values()) if norm is not None]
        return torch.stack(norms).max() if norms else None  # NaN if one of them is

    optim_wrapper.clip_func = clip_each


def lay_out_state(optimizer: Optimizer) -> None:
    """Lay the optimiser's state out in memory as the weights are, which fused steps take for granted.

    What a checkpoint holds is laid out as the weights of the run that wrote it were.
    """
    for parameter, slots in optimizer.state.items():
        for name, value in slots.items():
            is_map = isinstance(value, Tensor) and value.shape == parameter.shape
            if is_map and value.stride() != parameter.stride():
                slots[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _idle_scaler() -> Any:
    """Return a scaler that does nothing; before torch 2.3 only ``torch.cuda.amp`` has one, and it needs no GPU."""
    if hasattr(torch.amp, 'GradScaler'):
        return torch.amp.GradScaler(enabled=False)
    return torch.cuda.amp.GradScaler(enabled=False)
