"""Initial weights from elsewhere (``init_cfg=dict(type='Pretrained', ...)``), read as safely as any checkpoint."""

from __future__ import annotations

import logging
import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

from mmengine.logging import print_log
from mmengine.model import PretrainedInit as MMEnginePretrainedInit
from mmengine.model import update_init_info
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from mtlbox.engine.checkpoint import CheckpointError, read_checkpoint, weights_of
from mtlbox.engine.download import local_copy
from mtlbox.engine.weight_names import fit_tables, to_openmmlab
from mtlbox.registry import WEIGHT_INITIALIZERS, did_you_mean


@WEIGHT_INITIALIZERS.register_module(name='Pretrained')
class PretrainedInit(MMEnginePretrainedInit):
    """Loads weights from a file or an address into a module, and logs what did not fit.

    A module whose weights go by other names elsewhere has a method ``convert_weights(weights)`` that renames them; the
    official names of Swin are turned into OpenMMLab's, and its tables of positions fitted to another window.
    Names of the module that are missing, and shapes that differ, are warned of; what the file has beside them, such as
    the classifier of a whole model, is only named. Weights that are NaN or infinite are refused, but for buffers that
    are infinite in the module too, such as masks.

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
            CheckpointError: It is damaged or unsafe, none of its weights fits the module, or some are not finite.
        """
        weights = weights_of(load_from_anywhere(self.checkpoint, self.map_location), source=self.checkpoint)
        if self.prefix is not None:
            prefix = self.prefix.rstrip('.') + '.'
            beginnings = {key.split('.')[0] for key in weights}
            weights = {key.removeprefix(prefix): value for key, value in weights.items() if key.startswith(prefix)}
            if not weights:
                near = did_you_mean(self.prefix, beginnings)
                raise CheckpointError(f'{self.checkpoint} has no weights that begin with {prefix!r}.{near}')
        first = ', '.join(list(weights)[:3])
        own = module.state_dict()
        masks = [key for key, value in module.named_buffers() if value.is_floating_point() and value.isinf().any()]
        convert = getattr(module, 'convert_weights', None)
        weights = to_openmmlab(weights, own) if convert is None else convert(weights)
        given = load_what_fits(module, fit_tables(weights, own))
        # What is taken out while loading, such as tables of indices, the module makes itself.
        own = {key: value for key, value in own.items() if key in given or key not in weights}
        fitting = [key for key in own if key in given and own[key].shape == given[key].shape]
        if not fitting:
            raise CheckpointError(
                f'No weight of {self.checkpoint} ({first}, ...) fits {type(module).__name__} '
                f'({", ".join(list(own)[:3])}, ...). For a part of a model give its prefix, e.g. '
                "init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone')."
            )
        _check_finite({key: given[key] for key in fitting}, masks, self.checkpoint)
        incomplete = len(fitting) < len(own)
        print_log(
            f'{type(module).__name__} got {len(fitting)} of its {len(own)} tensors from {self.checkpoint}'
            + report(own, given),
            logger='current',
            level=logging.WARNING if incomplete else logging.INFO,
        )
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=self._get_init_info())


def _check_finite(weights: Mapping[str, Tensor], masks: Container[str], source: str) -> None:
    """Raise CheckpointError, naming the tensors, if weights are NaN or infinite; ``masks`` may be infinite."""
    wrong = [
        key
        for key, value in weights.items()
        if value.is_floating_point() and (value.isnan() if key in masks else ~value.isfinite()).any()
    ]
    if wrong:
        raise CheckpointError(
            f'{len(wrong)} of the {len(weights)} tensors of {source} are NaN or infinite in places: '
            f'{_some(_grouped(wrong))}. The training that wrote it diverged, or the file was damaged: take another one.'
        )


def load_what_fits(module: nn.Module, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Load those of ``weights`` that have a name and shape of the module's; what else is in it keeps its values.

    Returns:
        The weights after what the module's parts do to them while loading: renaming, resizing tables of positions.
    """
    given = dict(weights)

    def load(part: nn.Module, prefix: str) -> None:
        part._load_from_state_dict(given, prefix, {}, True, [], [], [])
        for name, child in part.named_children():
            load(child, f'{prefix}{name}.')

    load(module, '')
    return given


def report(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """Say which of the module's tensors are missing in a file or have another shape there, and what else is in it."""
    shapes = [
        f'{key} {tuple(given[key].shape)}, here {tuple(own[key].shape)}'
        for key in own
        if key in given and own[key].shape != given[key].shape
    ]
    parts = {
        'missing in it': _grouped(key for key in own if key not in given),
        'of another shape': shapes,
        'left over': _grouped(key for key in given if key not in own),
    }
    return ''.join(f'; {what}: {_some(names)}' for what, names in parts.items() if names) + '.'


def _grouped(names: Iterable[str]) -> list[str]:
    """Return names with those that differ in numbers only put together: ``blocks.*.norm.weight (12)``."""
    counts: dict[str, list[str]] = {}
    for name in names:
        counts.setdefault(re.sub(r'(?<=\.)\d+(?=\.)', '*', name), []).append(name)
    return [found[0] if len(found) == 1 else f'{group} ({len(found)})' for group, found in counts.items()]


def _some(names: list[str], most: int = 8) -> str:
    return ', '.join(names[:most]) + (f' and {len(names) - most} more' if len(names) > most else '')


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
