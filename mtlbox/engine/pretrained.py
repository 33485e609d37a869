"""Initial weights from elsewhere (``init_cfg=dict(type='Pretrained', ...)``), read as safely as any checkpoint."""

from __future__ import annotations

from typing import Any

from mmengine.logging import print_log
from mmengine.model import PretrainedInit as MMEnginePretrainedInit
from mmengine.model import update_init_info
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_state_dict
from torch import nn

from mtlbox.engine.checkpoint import CheckpointError, read_checkpoint, weights_of
from mtlbox.engine.download import local_copy
from mtlbox.registry import WEIGHT_INITIALIZERS, did_you_mean


@WEIGHT_INITIALIZERS.register_module(name='Pretrained')
class PretrainedInit(MMEnginePretrainedInit):
    """Loads weights from a file or an address into a module; what does not fit is logged.

    Args:
        checkpoint: Local file, or an address as in :func:`~mtlbox.engine.download.local_copy`.
        prefix: Take only weights whose names begin so, and cut it off: ``'backbone'`` for the backbone of a model.
        map_location: Where the tensors go.
    """

    def __call__(self, module: nn.Module) -> None:
        """Load.

        Raises:
            FileNotFoundError: There is no such file.
            URLError: It cannot be downloaded.
            CheckpointError: It is damaged or unsafe, or none of its weights fits the module.
        """
        print_log(f'load weights of {type(module).__name__} from {self.checkpoint}', logger='current')
        weights = weights_of(load_from_anywhere(self.checkpoint, self.map_location), source=self.checkpoint)
        if self.prefix is not None:
            prefix = self.prefix.rstrip('.') + '.'
            beginnings = {key.split('.')[0] for key in weights}
            weights = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
            if not weights:
                near = did_you_mean(self.prefix, beginnings)
                raise CheckpointError(f'{self.checkpoint} has no weights that begin with {prefix!r}.{near}')
        own = module.state_dict()
        if not any(key in own and own[key].shape == getattr(value, 'shape', None) for key, value in weights.items()):
            first = ', '.join(list(weights)[:3])
            raise CheckpointError(
                f'No weight of {self.checkpoint} ({first}, ...) fits {type(module).__name__} '
                f'({", ".join(list(own)[:3])}, ...). For a part of a model give its prefix, e.g. '
                "init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone')."
            )
        load_state_dict(module, weights, strict=False, logger='current')
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=self._get_init_info())


def load_from_anywhere(source: str, map_location: Any = 'cpu') -> dict[str, Any]:
    """Read a checkpoint from a file or an address, executing nothing; names of ``mmcls://`` lose ``backbone.``."""
    checkpoint = read_checkpoint(local_copy(source), map_location)
    if source.startswith('mmcls://'):
        weights = {key.removeprefix('backbone.'): value for key, value in weights_of(checkpoint).items()}
        return {**checkpoint, 'state_dict': weights}
    return checkpoint


def guard_mmengine() -> None:
    """Put our loader in the place of mmengine's, for components of other packages that call it by themselves."""
    CheckpointLoader.register_scheme(list(CheckpointLoader._schemes), loader=load_from_anywhere, force=True)
