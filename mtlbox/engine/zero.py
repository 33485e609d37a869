"""Gradients and optimiser state divided among the ranks by DeepSpeed's ZeRO, stages 1 and 2."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.model import BaseModel
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import Tensor, nn

from mtlbox.engine.divided import DividedModel
from mtlbox.registry import MODEL_WRAPPERS

_STAGES = (1, 2)


@MODEL_WRAPPERS.register_module()
class DeepSpeed(DividedModel):
    """A model whose optimiser's state, and in stage 2 gradients, each rank holds a part of; the weights are whole.

    Precision is the optimiser wrapper's: float32, or bfloat16 by autocast. DeepSpeed's own casts, schedules and
    checkpoints are not used; its third stage, which divides the weights, is what
    :class:`~mtlbox.engine.fsdp.FSDP` does.

    Args:
        module: The model; given by the Runner.
        stage: 1 divides the optimiser's state, 2 the gradients as well.
        options: More keys of DeepSpeed's ``zero_optimization``, e.g. ``reduce_bucket_size``.

    Raises:
        ImportError: deepspeed is not installed.
        ValueError: The stage is neither, the optimiser wrapper scales losses, or it clips by another norm than the
            2-norm.
    """

    has_whole_weights = True

    def __init__(self, module: nn.Module, *, stage: int = 2, options: dict[str, Any] | None = None) -> None:
        if stage not in _STAGES:
            raise ValueError(f"model_wrapper_cfg.stage must be 1 or 2, but is {stage!r}; for weights take type='FSDP'.")
        _import_deepspeed()
        super().__init__(module)
        self._zero = {**(options or {}), 'stage': stage}
        self._parts: list[Any] = []  # the engine, out of nn.Module's sight: it holds the model a second time

    def attach(self, optim_wrapper: OptimWrapper) -> ZeroOptimWrapper:
        """Divide the optimiser's state and return the wrapper that takes its steps."""
        if isinstance(optim_wrapper, AmpOptimWrapper) and optim_wrapper.loss_scaler.is_enabled():
            raise ValueError(
                'model_wrapper_cfg is DeepSpeed, with which losses are not scaled: take --amp-dtype bfloat16.'
            )
        clip = dict(optim_wrapper.clip_grad_kwargs or {})
        if clip and (
            clip.pop('type', 'norm') != 'norm' or float(clip.pop('norm_type', 2)) != 2 or set(clip) != {'max_norm'}
        ):
            raise ValueError(
                'model_wrapper_cfg is DeepSpeed, which clips by the 2-norm only: clip_grad=dict(max_norm=...), but '
                f'optim_wrapper.clip_grad is {optim_wrapper.clip_grad_kwargs}.'
            )
        groups = [list(group['params']) for group in optim_wrapper.optimizer.param_groups]
        engine, divided, _, _ = _import_deepspeed().initialize(
            model=self.module,
            optimizer=optim_wrapper.optimizer,
            config={
                'train_micro_batch_size_per_gpu': 1,  # only counted by DeepSpeed, not used
                'gradient_accumulation_steps': 1,  # ZeroOptimWrapper says where a step is due
                'gradient_clipping': float(clip.get('max_norm', 0.0)),
                'zero_optimization': self._zero,
                'zero_allow_untested_optimizer': True,
                'zero_force_ds_cpu_optimizer': False,
            },
        )
        self._parts = [engine, divided]
        return ZeroOptimWrapper(optim_wrapper, engine, groups)

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """Take a step and return what is logged."""
        model: BaseModel = self.module
        with optim_wrapper.optim_context(self):
            data = model.data_preprocessor(data, True)
            losses = self._parts[0](**data, mode='loss')
        total, logged = model.parse_losses(losses)
        optim_wrapper.update_params(total)
        return logged

    def weights_were_loaded(self) -> None:
        """Copy the weights into DeepSpeed's own, which the steps are taken on."""
        if self._parts:
            self._parts[1].refresh_fp32_params()


class ZeroOptimWrapper(OptimWrapper):
    """The optimiser wrapper of a config, whose backward passes and steps are DeepSpeed's.

    Args:
        wrapper: The wrapper that the config asks for.
        engine: DeepSpeed's engine.
        groups: The model's parameters by group, as the optimiser had them before they were divided.
    """

    def __init__(self, wrapper: OptimWrapper, engine: Any, groups: list[list[nn.Parameter]]) -> None:
        super().__init__(wrapper.optimizer, accumulative_counts=wrapper._accumulative_counts)
        self.clips = bool(wrapper.clip_grad_kwargs)
        self._wrapper, self._engine, self._groups = wrapper, engine, groups

    def optim_context(self, model: nn.Module) -> AbstractContextManager[None]:
        """Autocast as the config asks for."""
        return self._wrapper.optim_context(model)

    def update_params(self, loss: Tensor, step_kwargs: dict | None = None, zero_kwargs: dict | None = None) -> None:
        """Take the gradients of ``loss``, and a step where one is due; DeepSpeed takes no further arguments."""
        loss = self.scale_loss(loss)
        self._inner_count += 1
        self._engine.set_gradient_accumulation_boundary(self.should_update())
        self._engine.backward(loss)
        self.step()

    def step(self, **kwargs: Any) -> None:
        """Let DeepSpeed take the step, if one is due."""
        self._engine.step()
        if self.clips and self.should_update():
            self.message_hub.update_scalar('train/grad_norm', float(self._engine.get_global_grad_norm()))

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the whole optimiser; every rank must call it."""
        settings = self.optimizer.state_dict()['param_groups']
        state: dict[int, dict[str, Any]] = {}
        groups: list[dict[str, Any]] = []
        start = 0
        for setting, parameters, flat in zip(settings, self._groups, self._flat()):
            slots = self.optimizer.state.get(flat, {})
            for index, parameter in enumerate(parameters, start):
                if slots:
                    state[index] = {name: _whole(name, value, flat, parameter) for name, value in slots.items()}
            groups.append({**setting, 'params': list(range(start, start + len(parameters)))})
            start += len(parameters)
        return {'state': state, 'param_groups': groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Divide the state of a whole optimiser.

        Raises:
            ValueError: Its groups have other numbers of parameters.
        """
        saved = [len(group['params']) for group in state_dict['param_groups']]
        own = [len(parameters) for parameters in self._groups]
        if saved != own:
            raise ValueError(f'The optimizer of the checkpoint has groups of {saved} parameters, but here are {own}.')
        for group, setting, parameters, flat in zip(
            self.optimizer.param_groups, state_dict['param_groups'], self._groups, self._flat()
        ):
            group.update({key: value for key, value in setting.items() if key != 'params'})
            slots = self.optimizer.state[flat]
            slots.clear()
            for index, parameter in zip(setting['params'], parameters):
                for name, value in state_dict['state'].get(index, {}).items():
                    _divide(slots, name, value, flat, parameter)

    def _flat(self) -> list[Tensor]:
        """Return this rank's part of each group's parameters."""
        return [group['params'][0] for group in self.optimizer.param_groups]


def _import_deepspeed() -> Any:
    try:
        import deepspeed
    except ImportError as error:
        raise ImportError(
            "model_wrapper_cfg=dict(type='DeepSpeed') needs deepspeed, which does not import: "
            f"{error}. pip install --no-build-isolation 'mtlbox[deepspeed]'"
        ) from error
    logging.getLogger('DeepSpeed').setLevel(logging.WARNING)
    return deepspeed


def _whole(name: str, value: Any, flat: Tensor, parameter: nn.Parameter) -> Any:
    """Return the state of one parameter from the ranks' parts; what is no map over the weights stays as it is."""
    if name == 'step' or not isinstance(value, Tensor) or value.shape != flat.shape:
        return value
    whole = torch.zeros(parameter.numel(), dtype=value.dtype, device=value.device)
    mapping: Any = getattr(parameter, '_hp_mapping', None)
    if mapping is not None:
        ours, theirs = mapping.hp_fragment_address, mapping.lp_fragment_address
        whole[theirs.start : theirs.start + theirs.numel] = value[ours.start : ours.start + ours.numel]
    all_reduce(whole)
    return whole.view_as(parameter)


def _divide(slots: dict[str, Any], name: str, value: Any, flat: Tensor, parameter: nn.Parameter) -> None:
    """Put this rank's part of the state of one parameter into ``slots``."""
    if name == 'step' or not isinstance(value, Tensor) or value.shape != parameter.shape:
        slots[name] = value.clone() if isinstance(value, Tensor) else value
        return
    if name not in slots:
        slots[name] = torch.zeros_like(flat, dtype=value.dtype, requires_grad=False)
    part = slots[name]
    mapping: Any = getattr(parameter, '_hp_mapping', None)
    if mapping is not None:
        ours, theirs = mapping.hp_fragment_address, mapping.lp_fragment_address
        source = value.flatten()[theirs.start : theirs.start + theirs.numel]
        part[ours.start : ours.start + ours.numel] = source.to(part.device)
