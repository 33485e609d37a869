"""mmengine's Runner, on CPUs as well as GPUs, and careful with the checkpoints it is given."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from logging import LogRecord
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_main_process
from mmengine.logging import MMLogger
from mmengine.model import convert_sync_batchnorm, is_model_wrapper
from mmengine.optim import BaseOptimWrapper
from mmengine.runner import Runner
from torch import cuda, nn
from torch.nn.parallel import DistributedDataParallel

from mtlbox.compat import ensure_torchvision
from mtlbox.engine.checkpoint import load_weights, read_checkpoint, weights_of
from mtlbox.engine.dist import TIMEOUT, init_dist
from mtlbox.engine.fsdp import FSDP, attach_optimizer, give_parts
from mtlbox.registry import MODEL_WRAPPERS, RUNNERS

_SYNC_BUFFERS = (  # the second name is deprecated since torch 2.13
    'forward_sync_buffers'
    if 'forward_sync_buffers' in inspect.signature(DistributedDataParallel).parameters
    else 'broadcast_buffers'
)
_NOT_FOR_USERS = ('"FileClient" will be deprecated', '"HardDiskBackend" is the alias')


def _for_users(record: LogRecord) -> bool:
    """Say whether a log record is one that a user can act on."""
    return not record.getMessage().startswith(_NOT_FOR_USERS)


@RUNNERS.register_module()
class MTLRunner(Runner):
    """mmengine's Runner with gloo on CPUs, and checkpoints that are never executed and must fit."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Return mmengine's logger, without its notes to its own developers."""
        logger = super().build_logger(*args, **kwargs)
        logger.addFilter(_for_users)
        return logger

    def setup_env(self, env_cfg: dict) -> None:
        """Join the process group before mmengine would, which needs a GPU for it, and prepare for determinism."""
        if self.cfg.get('randomness', {}).get('deterministic'):
            os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')  # read when CUDA starts
            env_cfg = {**env_cfg, 'cudnn_benchmark': False}
        if self.distributed:
            init_dist(self._launcher, timeout=env_cfg.get('dist_cfg', {}).get('timeout', TIMEOUT))
        super().setup_env(env_cfg)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap for DDP, on CPUs without device ids, or by ``model_wrapper_cfg``, e.g. ``dict(type='FSDP')``.

        Raises:
            ValueError: FSDP is asked for beside a hook that needs the whole model.
        """
        if not self.distributed or is_model_wrapper(model):
            return super().wrap_model(model_wrapper_cfg, model)
        model = model.to(get_device())
        if self.cfg.get('sync_bn') is not None:
            if cuda.is_available():
                model = convert_sync_batchnorm(model, self.cfg.sync_bn)
            else:
                self.logger.warning('sync_bn is left out: batch norm is synchronised on GPUs only.')
        wrapper: dict[str, Any] = {'type': 'MMDistributedDataParallel', **(model_wrapper_cfg or {})}
        if issubclass(MODEL_WRAPPERS.get(wrapper['type']), DistributedDataParallel):
            wrapper.setdefault('device_ids', [cuda.current_device()] if cuda.is_available() else None)
            wrapper.setdefault(_SYNC_BUFFERS, False)  # SyncBuffersHook averages them before they are needed
            wrapper.setdefault('find_unused_parameters', self.cfg.get('find_unused_parameters', False))
        elif any(hook['type'] == 'EMAHook' for hook in self.cfg.get('custom_hooks') or []):
            raise ValueError(
                f'model_wrapper_cfg is {wrapper["type"]}, but EMAHook needs a copy of the whole model. Leave it out: '
                "custom_hooks = [hook for hook in _base_.custom_hooks if hook['type'] != 'EMAHook']"
            )
        return MODEL_WRAPPERS.build(wrapper, default_args={'module': model})

    def _init_model_weights(self) -> None:
        if not isinstance(self.model, FSDP):  # which was initialised before it was divided
            super()._init_model_weights()

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Return the optimiser with its wrapper; under FSDP its saved state is that of the whole model."""
        is_new = not isinstance(optim_wrapper, BaseOptimWrapper)
        built = super().build_optim_wrapper(optim_wrapper)
        if is_new and isinstance(self.model, FSDP):
            attach_optimizer(built.optimizer)
        return built

    def save_checkpoint(self, *args: Any, save_optimizer: bool = True, **kwargs: Any) -> None:
        """Save a checkpoint on the first rank, to which the others give their parts under FSDP."""
        if isinstance(self.model, FSDP) and not is_main_process():
            give_parts(self.model, self.optim_wrapper if save_optimizer else None)
        super().save_checkpoint(*args, save_optimizer=save_optimizer, **kwargs)

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = True,
        revise_keys: list | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint safely and load its weights; one of another architecture is refused.

        Args:
            filename: A local file.
            map_location: Where its tensors go.
            strict: Kept for mmengine's sake; all weights must fit in any case.
            revise_keys: Not used; a wrapper's ``module.`` is removed.

        Raises:
            FileNotFoundError: There is no such file.
            CheckpointError: It is damaged, unsafe, or of another architecture.
        """
        checkpoint = read_checkpoint(filename, map_location)
        model = self.model.module if is_model_wrapper(self.model) else self.model
        load_weights(model, weights_of(checkpoint), filename)  # refused before any hook takes it for its own
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        load_weights(model, weights_of(checkpoint), filename)  # hooks may have changed them
        self._has_loaded = True
        self.logger.info(f'Loaded checkpoint {filename}')
        return checkpoint


def build_runner(cfg: Config) -> MTLRunner:
    """Return the runner of a config that :func:`mtlbox.config.load_config` has read."""
    ensure_torchvision()
    return MTLRunner.from_cfg(cfg)
