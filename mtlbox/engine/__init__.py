"""The run around the model: runner, hooks, checkpoints, distribution."""

from mtlbox.engine import hooks, loops, pretrained, schedulers
from mtlbox.engine.fsdp import FSDP
from mtlbox.engine.optim import AmpOptimWrapper
from mtlbox.engine.runner import MTLRunner, build_runner

__all__ = ['FSDP', 'AmpOptimWrapper', 'MTLRunner', 'build_runner', 'hooks', 'loops', 'pretrained', 'schedulers']
