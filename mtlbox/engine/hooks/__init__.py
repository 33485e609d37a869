"""Hooks."""

from mtlbox.engine.hooks.checkpoint_hook import CheckpointHook
from mtlbox.engine.hooks.ema_hook import EMAHook
from mtlbox.engine.hooks.nan_guard_hook import NanGuardHook, NonFiniteLossError
from mtlbox.engine.hooks.picture_hook import PictureHook
from mtlbox.engine.hooks.plain_checkpoint_hook import PlainCheckpointHook
from mtlbox.engine.hooks.progress_hook import ProgressHook
from mtlbox.engine.hooks.result_hook import ResultHook

__all__ = [
    'CheckpointHook',
    'EMAHook',
    'NanGuardHook',
    'NonFiniteLossError',
    'PictureHook',
    'PlainCheckpointHook',
    'ProgressHook',
    'ResultHook',
]
