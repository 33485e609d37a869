"""mmengine's Runner, on CPUs as well as GPUs, and careful with the checkpoints it is given."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from logging import LogRecord
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_rank, is_main_process
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import convert_sync_batchnorm, is_model_wrapper
from mmengine.optim import BaseOptimWrapper, OptimWrapper, OptimWrapperDict
from mmengine.runner import BaseLoop
from torch import cuda, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from mtlbox.compat import ensure_torchvision
from mtlbox.config import laid_out
from mtlbox.engine.building import CheckedBuilds
from mtlbox.engine.checkpoint import (
    CheckpointError,
    check_writable,
    is_resumable,
    load_weights,
    training_of,
    weights_of,
    write_checkpoint,
)
from mtlbox.engine.dist import TIMEOUT, init_dist
from mtlbox.engine.divided import DividedModel
from mtlbox.engine.failures import explained
from mtlbox.engine.hooks.plain_checkpoint_hook import PlainCheckpointHook
from mtlbox.engine.optim import clip_apart, lay_out_state
from mtlbox.engine.pretrained import guard_mmengine, load_from_anywhere
from mtlbox.engine.resume import find_checkpoint, require_same_optimizer, settings
from mtlbox.engine.state import gather_rank_states, take_rank_state, training_state, unwrapped
from mtlbox.engine.stop import EXIT_CODE, Stopped, StopRequest, end_workers, init_worker
from mtlbox.models.base import BaseMultiTaskModel
from mtlbox.registry import MODEL_WRAPPERS, RUNNERS

_SYNC_BUFFERS = (  # the second name is deprecated since torch 2.13
    'forward_sync_buffers'
    if 'forward_sync_buffers' in inspect.signature(DistributedDataParallel).parameters
    else 'broadcast_buffers'
)
_NOT_FOR_USERS = (
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
    'Resumed iteration number is not divisible by `_accumulative_counts`',  # checkpoints are written after steps only
)


def _for_users(record: LogRecord) -> bool:
    """Say whether a log record is one that a user can act on."""
    return not record.getMessage().startswith(_NOT_FOR_USERS)


@RUNNERS.register_module()
class MTLRunner(CheckedBuilds):
    """mmengine's Runner with gloo on CPUs, and checkpoints that are never executed, must fit, and are not lost."""

    _timestamp: str
    _resume: bool
    _has_loaded: bool
    _progress: dict[str, Any] | None = None
    _rank_states: Sequence[dict[str, Any]] = ()
    loaded_training: dict[str, Any] | None = None
    """What :func:`~mtlbox.engine.checkpoint.training_of` says of the checkpoint that was loaded."""
    num_parameters: int
    """Parameters of the whole model, which FSDP divides."""

    def __init__(self, model: nn.Module | dict, work_dir: str, **kwargs: Any) -> None:
        check_writable(work_dir)
        guard_mmengine()
        self._stop_request = StopRequest()
        super().__init__(model=model, work_dir=work_dir, **kwargs)

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Return mmengine's logger, without its notes to its own developers."""
        logger = super().build_logger(*args, **kwargs)
        logger.addFilter(_for_users)
        return logger

    def register_hooks(self, default_hooks: dict | None = None, custom_hooks: list | None = None) -> None:
        """Register the hooks, and the one without which checkpoints could not be read again."""
        super().register_hooks(default_hooks, custom_hooks)
        if not any(isinstance(hook, PlainCheckpointHook) for hook in self.hooks):
            self.register_hook(PlainCheckpointHook())

    def setup_env(self, env_cfg: dict) -> None:
        """Join the process group before mmengine would, which needs a GPU for it, and prepare for determinism."""
        if self.cfg.get('randomness', {}).get('deterministic'):
            os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')  # read when CUDA starts
            env_cfg = {**env_cfg, 'cudnn_benchmark': False}
        if self.distributed:
            init_dist(self._launcher, timeout=env_cfg.get('dist_cfg', {}).get('timeout', TIMEOUT))
        super().setup_env(env_cfg)
        started, count = self._timestamp, 0
        while any(name.endswith(self._timestamp) for name in MessageHub._instance_dict):
            count += 1  # logger, visualizer and message hub are found by name: a second run in a second must not share
            self._timestamp = f'{started}_{count}'

    def build_model(self, model: nn.Module | dict) -> nn.Module:
        """Build the model, laid out as NHWC where the config has ``channels_last=True``."""
        return super().build_model(laid_out(model, self.cfg) if isinstance(model, dict) else model)

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap for DDP, on CPUs without device ids, or by ``model_wrapper_cfg``, e.g. ``dict(type='FSDP')``.

        Raises:
            ValueError: A wrapper that divides the weights is asked for beside a hook that needs the whole model.
        """
        self.num_parameters = sum(parameter.numel() for parameter in model.parameters())
        if not self.distributed or is_model_wrapper(model):
            return super().wrap_model(model_wrapper_cfg, model)
        model = model.to(get_device())
        if self.cfg.get('sync_bn') is not None:
            if cuda.is_available():
                model = convert_sync_batchnorm(model, self.cfg.sync_bn)
            else:
                self.logger.warning('sync_bn is left out: batch norm is synchronised on GPUs only.')
        wrapper: dict[str, Any] = {'type': 'MTLDistributedDataParallel', **(model_wrapper_cfg or {})}
        wrapper_class = MODEL_WRAPPERS.get(wrapper['type'])
        if issubclass(wrapper_class, DistributedDataParallel):
            wrapper.setdefault('device_ids', [cuda.current_device()] if cuda.is_available() else None)
            wrapper.setdefault(_SYNC_BUFFERS, False)  # SyncBuffersHook averages them before they are needed
            unused = getattr(model, 'skip_unlabelled', False)
            wrapper.setdefault('find_unused_parameters', self.cfg.get('find_unused_parameters', unused))
        elif not getattr(wrapper_class, 'has_whole_weights', False) and any(
            hook['type'] == 'EMAHook' for hook in self.cfg.get('custom_hooks') or []
        ):
            raise ValueError(
                f'model_wrapper_cfg is {wrapper["type"]}, but EMAHook needs a copy of the whole model. Leave it out: '
                "custom_hooks = [hook for hook in _base_.custom_hooks if hook['type'] != 'EMAHook']"
            )
        return MODEL_WRAPPERS.build(wrapper, default_args={'module': model})

    def _init_model_weights(self) -> None:
        if not isinstance(self.model, DividedModel):  # which was initialised before it was divided
            super()._init_model_weights()

    def build_optim_wrapper(self, optim_wrapper: Any) -> Any:
        """Return the optimiser with its wrapper; that of a divided model saves the state of the whole.

        What a model trains apart (its ``trained_apart``) is clipped apart.
        """
        is_new = not isinstance(optim_wrapper, BaseOptimWrapper)
        built = super().build_optim_wrapper(optim_wrapper)
        model = unwrapped(self.model)
        if is_new and isinstance(built, OptimWrapper) and isinstance(model, BaseMultiTaskModel):
            clip_apart(built, model.trained_apart())
        return self.model.attach(built) if is_new and isinstance(self.model, DividedModel) else built

    @staticmethod
    def build_dataloader(
        dataloader: DataLoader | dict, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """Return mmengine's data loader, whose processes outlive the signals that stop a training."""
        if isinstance(dataloader, Mapping) and 'worker_init_fn' not in dataloader:
            dataloader = copy.deepcopy(dict(dataloader))
            dataloader.pop('disable_subprocess_warning', None)  # an argument of mmengine's own initialiser
            dataloader['worker_init_fn'] = {
                'type': init_worker,
                'num_workers': dataloader.get('num_workers', 0),
                'rank': get_rank(),
                'seed': seed,
            }
        return CheckedBuilds.build_dataloader(dataloader, seed, diff_rank_seed)

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Return the training loop; ``by_epoch`` in place of a type means ours."""
        if isinstance(loop, Mapping) and 'type' not in loop and 'by_epoch' in loop:
            loop = dict(loop)
            loop['type'] = 'EpochBasedTrainLoop' if loop.pop('by_epoch') else 'IterBasedTrainLoop'
        return super().build_train_loop(loop)

    def train(self) -> nn.Module:
        """Train, or go on training.

        Raises:
            Stopped: A signal asked for it; a checkpoint was written.
            ChildProcessError: A data-loading process died.
            OSError: The disk is full, read-only, or data are gone.
        """
        try:
            with explained(self.work_dir), self._stop_request:
                return super().train()
        except Stopped:
            end_workers()
            raise
        finally:
            self._end_persistent_workers()

    def _end_persistent_workers(self) -> None:
        """End the data-loading processes that wait for another epoch; torch starts them anew where there is one."""
        for loop in (self._train_loop, self._val_loop):
            loader: Any = getattr(loop, 'dataloader', None)
            if getattr(loader, '_iterator', None) is not None:
                loader._iterator._shutdown_workers()
                loader._iterator = None

    def stop_if_asked(self) -> None:
        """Write a checkpoint and raise :class:`~mtlbox.engine.stop.Stopped` if any rank was sent a signal to stop."""
        name = self._stop_request.agreed()
        if name is None:
            return
        self.call_hook('before_stop')
        message = f'Stopped by {name} after iteration {self.iter}; go on with --resume. Exit code {EXIT_CODE}.'
        self.logger.warning(message)
        self.call_hook('after_run')
        raise Stopped(message)

    def load_or_resume(self) -> None:
        """Load or resume a checkpoint, where the config says so; of those in the work directory the last whole one."""
        if self._resume and self._load_from is None and not self._has_loaded:
            found = find_checkpoint(self.work_dir, self.logger.warning)
            if found is None:
                self.logger.warning(f'There is no checkpoint in {self.work_dir} to resume from: the run starts afresh.')
                self._resume = False
            else:
                self.logger.info(f'Resumes from {found}.')
                self.resume(found)
            return
        try:
            super().load_or_resume()
        except FileNotFoundError as error:
            if self._resume:  # the path is the command line's
                raise
            raise FileNotFoundError(f'load_from: {error}') from error

    def resume(
        self,
        filename: str,
        resume_optimizer: bool = True,
        resume_param_scheduler: bool = True,
        map_location: str | Callable = 'default',
    ) -> None:
        """Go on from a checkpoint: weights, optimizer, schedulers, random generators, place in the data.

        Args:
            filename: The checkpoint.
            resume_optimizer: Whether to restore the optimizer.
            resume_param_scheduler: Whether to restore the schedulers.
            map_location: Where its tensors go.

        Raises:
            FileNotFoundError: There is no such file.
            CheckpointError: It is damaged, unsafe, of another architecture, or holds weights only.
        """
        configured = settings(self)
        super().resume(filename, resume_optimizer, resume_param_scheduler, map_location)
        if resume_optimizer:
            is_dict = isinstance(self.optim_wrapper, OptimWrapperDict)
            for wrapper in self.optim_wrapper.values() if is_dict else [self.optim_wrapper]:
                if isinstance(wrapper, OptimWrapper):
                    lay_out_state(wrapper.optimizer)
        changed: dict[str, tuple[Any, Any]] = {}  # once for all groups of parameters
        for name, value in settings(self).items():
            if name in configured and configured[name] != value:
                changed.setdefault(name.partition(' (group')[0], (value, configured[name]))
        for name, (value, own) in changed.items():
            self.logger.warning(f'{name} is that of the checkpoint, {value}, not the {own} of the config.')
        if not hasattr(self.train_loop, 'restore'):
            return
        rng = take_rank_state(self.model, self._rank_states)
        if rng is None:
            self.logger.warning(
                f'{filename} holds the random states of {len(self._rank_states)} processes, but there are '
                f'{self.world_size}: the run goes on with other random numbers than it would have had.'
            )
        if self._progress is not None:
            self.train_loop.restore(self._progress, rng)

    def load_checkpoint(
        self,
        filename: str,
        map_location: str | Callable = 'cpu',
        strict: bool = True,
        revise_keys: list | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint safely and load its weights; one of another architecture is refused.

        Args:
            filename: A local file, or an address as in :func:`~mtlbox.engine.download.local_copy`.
            map_location: Where its tensors go.
            strict: Kept for mmengine's sake; all weights must fit in any case.
            revise_keys: Not used; a wrapper's ``module.`` is removed.

        Raises:
            FileNotFoundError: There is no such file.
            CheckpointError: It is damaged, unsafe, or of another architecture.
        """
        checkpoint = load_from_anywhere(filename, map_location)
        if self._resume and not is_resumable(checkpoint):
            raise CheckpointError(
                f'{filename} holds weights, but not the state of a training that could be resumed. '
                'To start from its weights: --cfg-options load_from=...'
            )
        model = unwrapped(self.model)
        if self._resume:
            require_same_optimizer(self, checkpoint['optimizer'], filename)
        # refused before any hook takes it for its own
        load_weights(model, weights_of(checkpoint, source=filename), filename)
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        load_weights(model, weights_of(checkpoint, source=filename), filename)  # hooks may have changed them
        if isinstance(self.model, DividedModel):
            self.model.weights_were_loaded()
        self.loaded_training = training_of(checkpoint)
        self._progress, self._rank_states = checkpoint.get('progress'), checkpoint.get('ranks', [])
        self._has_loaded = True
        self.logger.info(f'Loaded checkpoint {filename}')
        return checkpoint

    def save_checkpoint(
        self,
        out_dir: str,
        filename: str,
        file_client_args: dict | None = None,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        meta: dict | None = None,
        by_epoch: bool = True,
        backend_args: dict | None = None,
    ) -> None:
        """Write a checkpoint into a local folder, whole or not at all; all ranks must call it together.

        Args:
            out_dir: Folder.
            filename: Name in it.
            file_client_args, backend_args: Kept for mmengine's sake; not used.
            save_optimizer: Whether the optimizer and all else that a resumed run needs belongs to it.
            save_param_scheduler: Whether the schedulers belong to it.
            meta: ``epoch`` and ``iter`` that are done; from the loop where they are not given.
            by_epoch: Whether it is called at the end of an epoch, which the loop has not counted yet.

        Raises:
            OSError: It cannot be written; a file that was there before is untouched.
        """
        counted = {'epoch': self.epoch + by_epoch, 'iter': self.iter + (not by_epoch), **(meta or {})}
        loop, ranks = self.train_loop, None
        if save_optimizer and hasattr(loop, 'training_rng'):
            ranks = gather_rank_states(self.model, loop.training_rng())
        if not is_main_process():
            if isinstance(self.model, DividedModel):
                self.model.give_parts(self.optim_wrapper if save_optimizer else None)
            return
        checkpoint = training_state(
            self, counted, save_optimizer=save_optimizer, save_param_scheduler=save_param_scheduler
        )
        if ranks is not None:
            checkpoint.update(progress=loop.progress(), ranks=ranks)
        self.call_hook('before_save_checkpoint', checkpoint=checkpoint)
        write_checkpoint(checkpoint, Path(out_dir, filename))


def build_runner(cfg: Config) -> MTLRunner:
    """Return the runner of a config that :func:`mtlbox.config.load_config` has read."""
    ensure_torchvision()
    return MTLRunner.from_cfg(cfg)
