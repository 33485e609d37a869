"""Checkpoints: the last, and the best by a score that exists."""

from __future__ import annotations

import math
from typing import Any

from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.runner import Runner

from mtlbox.evaluation import MTLEvaluator
from mtlbox.registry import HOOKS, did_you_mean


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """Saves the last checkpoints and the best one; whether more or less is better is asked of the evaluator.

    Args:
        save_best: Score that decides, ``'delta_m'`` or ``'{task}/{score}'``; None keeps no best checkpoint.
        kwargs: As in mmengine: ``interval``, ``by_epoch``, ``max_keep_ckpts``, ``save_last``, ``save_begin``, ...
    """

    def __init__(self, save_best: str | None = None, **kwargs: Any) -> None:
        super().__init__(save_best=save_best, rule='greater' if save_best else None, **kwargs)

    def before_train(self, runner: Runner) -> None:
        """Check that the score which decides will be there.

        Raises:
            ValueError: No metric gives that score.
        """
        evaluator = getattr(runner.val_loop, 'evaluator', None)
        if self.save_best is not None and isinstance(evaluator, MTLEvaluator):
            score, known = self.key_indicators[0], evaluator.score_names()
            if score == 'delta_m' and score not in known:
                raise ValueError(
                    "save_best is 'delta_m', which cannot be computed: the log says which baseline or score is "
                    "missing. Name a task's score instead: default_hooks.checkpoint.save_best="
                    f'{next(iter(known), "semseg/mIoU")}'
                )
            if score not in known:
                raise ValueError(f'save_best is {score!r}, which no metric gives.{did_you_mean(score, known)}')
            self._init_rule(['greater' if evaluator.higher_is_better(score) else 'less'], [score])
        super().before_train(runner)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        score = self.key_indicators[0] if self.save_best is not None else None
        if score is not None and not math.isfinite(metrics.get(score, math.nan)):
            runner.logger.warning(f'{score} has no value in this validation; the best checkpoint stays as it is.')
            return
        super()._save_best_checkpoint(runner, metrics)
