"""Checkpoints of tensors and plain values only."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner import BaseLoop, Runner

from mtlbox.registry import HOOKS


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Keeps checkpoints free of Python objects, so that ``torch.load(weights_only=True)`` reads and resumes them."""

    priority = 'VERY_LOW'

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Turn history buffers, NumPy's numbers and the data set's description into plain values."""
        hub = checkpoint['message_hub']
        hub['log_scalars'] = {
            key: {
                'log_history': torch.as_tensor(np.asarray(buffer.data[0], dtype=np.float64)),
                'count_history': torch.as_tensor(np.asarray(buffer.data[1], dtype=np.int64)),
                'max_length': buffer.max_length,
            }
            for key, buffer in hub['log_scalars'].items()
        }
        hub['runtime_info'] = plain(hub['runtime_info'])
        for key in ('meta', 'optimizer', 'param_schedulers'):
            if key in checkpoint:
                checkpoint[key] = plain(checkpoint[key])

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Turn them back."""
        hub = checkpoint.get('message_hub')
        if hub is None:
            return
        for key, value in hub['log_scalars'].items():
            if isinstance(value, dict):
                hub['log_scalars'][key] = HistoryBuffer(
                    value['log_history'].cpu().tolist(), value['count_history'].cpu().tolist(), value['max_length']
                )
        described = checkpoint['meta'].get('dataset_meta')
        if described is not None and isinstance(runner._train_loop, BaseLoop):
            metainfo = getattr(runner.train_dataloader.dataset, 'metainfo', None)
            if repr(plain(metainfo)) == repr(described):  # else the Runner warns that the data set is another
                checkpoint['meta']['dataset_meta'] = metainfo


def plain(value: Any) -> Any:
    """Return ``value`` made of tensors, dicts, lists, tuples, strings, numbers and None; other objects as ``repr``."""
    if isinstance(value, np.generic):  # first: NumPy's float64 is a float
        return value.item()
    if value is None or isinstance(value, (str, bool, int, float, torch.Tensor)):
        return value
    if isinstance(value, np.ndarray):
        return torch.as_tensor(value)
    if isinstance(value, dict):
        return {key if isinstance(key, (str, int)) else repr(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return type(value)(plain(item) for item in value)
    return repr(value)
