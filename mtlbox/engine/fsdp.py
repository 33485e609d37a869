"""Weights, gradients and optimiser state divided among the ranks: torch's ``fully_shard`` (FSDP2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import get_world_size
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.optim import Optimizer

from mtlbox.engine.divided import DividedModel
from mtlbox.registry import MODEL_WRAPPERS

try:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor import DTensor, distribute_tensor

    _AVAILABLE = True
except ImportError:  # before torch 2.6
    _AVAILABLE = False


@MODEL_WRAPPERS.register_module()
class FSDP(DividedModel):
    """A model each rank holds a part of; whole layers are gathered while they are used.

    Args:
        module: The model; given by the Runner.
        reshard_after_forward: Free the gathered weights after the forward pass and gather them again for the backward
            pass: less memory, more communication.
        units: Names of modules that are gathered one after another; all direct children of the model, and of its
            ``heads``, ``auxiliary_heads`` and ``networks``, where not given.

    Raises:
        ImportError: torch is older than 2.6.
        ValueError: A unit is no module of the model.
    """

    def __init__(
        self, module: nn.Module, *, reshard_after_forward: bool = True, units: list[str] | None = None
    ) -> None:
        if not _AVAILABLE:
            raise ImportError(f"model_wrapper_cfg=dict(type='FSDP') needs torch 2.6, but this is {torch.__version__}.")
        super().__init__(module)
        mesh = init_device_mesh(get_device(), (get_world_size(),))
        for unit in _units(module, units):
            fully_shard(unit, mesh=mesh, reshard_after_forward=reshard_after_forward)
        fully_shard(module, mesh=mesh, reshard_after_forward=reshard_after_forward)
        module.register_state_dict_post_hook(_gather_weights)
        module.register_load_state_dict_pre_hook(_divide_weights)

    def attach(self, optim_wrapper: OptimWrapper) -> OptimWrapper:
        """Make the optimiser's ``state_dict`` whole and plain, and have it divided again where it is loaded."""
        optim_wrapper.optimizer.register_state_dict_post_hook(_gather_state)
        optim_wrapper.optimizer.register_load_state_dict_pre_hook(_divide_state)
        return optim_wrapper


def _units(module: nn.Module, names: list[str] | None) -> Iterator[nn.Module]:
    modules = dict(module.named_modules())
    if names is None:
        names = []
        for name, child in module.named_children():
            names += [f'{name}.{inner}' for inner in child] if isinstance(child, nn.ModuleDict) else [name]
    for name in names:
        if name not in modules:
            raise ValueError(f'model_wrapper_cfg.units names {name!r}, which is no module of the model.')
        if next(modules[name].parameters(), None) is not None:
            yield modules[name]


def _gather(value: Any) -> Any:
    return value.full_tensor() if isinstance(value, DTensor) else value


def _divide(value: Any, like: Tensor) -> Any:
    """Return ``value`` divided as ``like`` is, where both are whole tensors of one shape."""
    if not isinstance(like, DTensor) or not isinstance(value, Tensor) or isinstance(value, DTensor):
        return value
    if value.shape != like.shape:  # let torch say that it does not fit
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements)


def _gather_weights(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    for key, value in state.items():
        state[key] = _gather(value)


def _divide_weights(module: nn.Module, state: dict[str, Any], prefix: str, *args: Any) -> None:
    for name, parameter in module.named_parameters():
        if prefix + name in state:
            state[prefix + name] = _divide(state[prefix + name], parameter)


def _gather_state(optimizer: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    gathered = {
        index: {name: _gather(value) for name, value in slots.items()} for index, slots in state['state'].items()
    }
    return {**state, 'state': gathered}


def _divide_state(optimizer: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    parameters = [parameter for group in optimizer.param_groups for parameter in group['params']]
    indices = [index for group in state['param_groups'] for index in group['params']]
    own = dict(zip(indices, parameters))
    divided = {
        index: {name: _divide(value, own[index]) if index in own else value for name, value in slots.items()}
        for index, slots in state['state'].items()
    }
    return {**state, 'state': divided}
