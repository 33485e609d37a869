"""What a checkpoint of a training holds beside the weights."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import mmengine
import torch
from mmengine.dist import all_gather_object, broadcast, get_rank, get_world_size
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from mtlbox.config import config_text
from mtlbox.engine.source import source_commit


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model inside a wrapper for distributed training."""
    if is_model_wrapper(model) and isinstance(model.module, nn.Module):
        return model.module
    return model


def training_state(
    runner: Runner,
    meta: Mapping[str, Any],
    *,
    save_optimizer: bool = True,
    save_param_scheduler: bool = True,
) -> dict[str, Any]:
    """Return the state of a training, all tensors on the CPU, without what the hooks and the ranks add.

    Args:
        runner: The runner.
        meta: ``epoch`` and ``iter``: how many are done.
        save_optimizer: Whether the optimizer's state belongs to it.
        save_param_scheduler: The same of the schedulers'.
    """
    state: dict[str, Any] = {
        'meta': {
            **meta,
            'cfg': config_text(runner.cfg),
            'seed': runner.seed,
            'commit': source_commit(),
            'world_size': runner.world_size,
            'experiment_name': runner.experiment_name,
            'time': time.strftime('%Y%m%d_%H%M%S', time.localtime()),
            'mmengine_version': mmengine.__version__,
        },
        'state_dict': on_cpu(unwrapped(runner.model).state_dict()),
        'message_hub': on_cpu(runner.message_hub.state_dict()),
    }
    metainfo = getattr(runner.train_dataloader.dataset, 'metainfo', None)
    if metainfo is not None:
        state['meta']['dataset_meta'] = metainfo
        state['meta']['trained_on'] = metainfo.get('origin')
    if save_optimizer:
        state['optimizer'] = on_cpu(runner.optim_wrapper.state_dict())
    if save_param_scheduler and runner.param_schedulers is not None:
        schedulers = runner.param_schedulers
        if isinstance(schedulers, Mapping):
            state['param_schedulers'] = {
                name: [scheduler.state_dict() for scheduler in group] for name, group in schedulers.items()
            }
        else:
            state['param_schedulers'] = [scheduler.state_dict() for scheduler in schedulers]
    return state


def gather_rank_states(model: nn.Module, rng: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what differs between the ranks: random states, and buffers such as statistics of batch norms.

    A collective operation. Buffers of rank 0 are in ``state_dict``; those of others are returned where they differ.
    """
    own: dict[str, Any] = {'rng': rng, 'buffers': {}}
    if get_world_size() == 1:
        return [own]
    for name, buffer in unwrapped(model).named_buffers():
        reference = buffer.detach().clone().contiguous()
        broadcast(reference, src=0)
        if not torch.equal(reference, buffer):
            own['buffers'][name] = buffer.detach().cpu()
    return all_gather_object(own)


def take_rank_state(model: nn.Module, states: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Restore this rank's buffers; return its random states, or None where there was another number of ranks."""
    if len(states) != get_world_size():
        return None
    own = states[get_rank()]
    buffers = dict(unwrapped(model).named_buffers())
    for name, value in own['buffers'].items():
        buffers[name].copy_(value)
    return own['rng']


def on_cpu(value: Any) -> Any:
    """Return nested dicts, lists and tuples with their tensors on the CPU."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, Mapping):
        return {key: on_cpu(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(on_cpu(item) for item in value)
    return value
