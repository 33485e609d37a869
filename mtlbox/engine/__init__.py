"""The run around the model: runner, hooks, checkpoints, distribution."""

from mtlbox.engine import hooks, loops, pretrained, schedulers
from mtlbox.engine.ddp import MTLDistributedDataParallel
from mtlbox.engine.fsdp import FSDP
from mtlbox.engine.optim import AmpOptimWrapper
from mtlbox.engine.runner import MTLRunner, build_runner
from mtlbox.engine.zero import DeepSpeed

__all__ = [
    'FSDP',
    'AmpOptimWrapper',
    'DeepSpeed',
    'MTLDistributedDataParallel',
    'MTLRunner',
    'build_runner',
    'hooks',
    'loops',
    'pretrained',
    'schedulers',
]
