"""mmengine's Runner, on CPUs as well as GPUs, and careful with the checkpoints it is given."""

from __future__ import annotations

from collections.abc import Callable
from logging import LogRecord
from typing import Any

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel, is_model_wrapper
from torch import cuda, nn

from mtlbox.compat import ensure_torchvision
from mtlbox.engine.building import CheckedBuilds
from mtlbox.engine.checkpoint import load_weights, read_checkpoint, weights_of
from mtlbox.engine.dist import init_dist
from mtlbox.registry import RUNNERS

_NOT_FOR_USERS = ('"FileClient" will be deprecated', '"HardDiskBackend" is the alias')


def _for_users(record: LogRecord) -> bool:
    """Say whether a log record is one that a user can act on."""
    return not record.getMessage().startswith(_NOT_FOR_USERS)


@RUNNERS.register_module()
class MTLRunner(CheckedBuilds):
    """mmengine's Runner with gloo on CPUs, and checkpoints that are never executed and must fit."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Return mmengine's logger, without its notes to its own developers."""
        logger = super().build_logger(*args, **kwargs)
        logger.addFilter(_for_users)
        return logger

    def setup_env(self, env_cfg: dict) -> None:
        """Join the process group before mmengine would, which needs a GPU for it."""
        if self.distributed:
            init_dist(self._launcher)
        super().setup_env(env_cfg)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap for DDP; on CPUs without device ids."""
        if not self.distributed or cuda.is_available() or model_wrapper_cfg is not None or is_model_wrapper(model):
            return super().wrap_model(model_wrapper_cfg, model)
        return MMDistributedDataParallel(
            module=model.to('cpu'),
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=self.cfg.get('find_unused_parameters', False),
        )

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
