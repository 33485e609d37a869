"""An average of the weights, kept beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.dist import master_only
from mmengine.hooks import EMAHook as MMEngineEMAHook
from mmengine.runner import Runner

from mtlbox.engine.checkpoint import training_of, weights_of, write_checkpoint
from mtlbox.registry import HOOKS


@HOOKS.register_module()
class EMAHook(MMEngineEMAHook):
    """Keeps an exponential moving average of the weights and writes it as ``ema.pth`` beside the checkpoints.

    Unlike mmengine's, it leaves ``state_dict`` to the trained weights, and validation to them unless ``evaluate``:
    the published numbers of this field are of the weights themselves. The average is ``ema_state_dict`` in every
    checkpoint; ``tools/test.py --ema`` and ``tools/infer.py --ema`` take it.

    Args:
        evaluate: Validate and test the average instead of the weights.
        kwargs: As in mmengine: ``ema_type``, ``momentum``, ``update_buffers``, ``begin_iter``, ``begin_epoch``.
    """

    def __init__(self, evaluate: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.evaluate = evaluate

    def _swap_ema_parameters(self) -> None:
        if self.evaluate:
            super()._swap_ema_parameters()

    def before_val_epoch(self, runner: Runner) -> None:
        """Put the average in the weights' place, if it is what is validated."""
        self._take_buffers()
        super().before_val_epoch(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the average to the checkpoint and write it on its own."""
        self._take_buffers()
        checkpoint['ema_state_dict'] = self.ema_model.state_dict()
        self._write(runner, checkpoint)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Go on with the checkpoint's average, or start from its weights."""
        if 'ema_state_dict' in checkpoint and runner._resume:
            self.ema_model.load_state_dict(checkpoint['ema_state_dict'])
        else:
            self.ema_model.module.load_state_dict(weights_of(checkpoint))

    def _take_buffers(self) -> None:
        """Take the model's buffers where they are not averaged: they may have been averaged over ranks since a step."""
        if not self.ema_model.update_buffers:
            for own, theirs in zip(self.ema_model.module.buffers(), self.src_model.buffers()):
                own.data.copy_(theirs.data)

    @master_only
    def _write(self, runner: Runner, checkpoint: dict) -> None:
        meta = {**training_of(checkpoint), 'ema': True}
        write_checkpoint(
            {'state_dict': weights_of(checkpoint, ema=True), 'meta': meta}, Path(runner.work_dir, 'ema.pth')
        )
