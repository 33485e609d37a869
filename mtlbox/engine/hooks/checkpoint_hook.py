"""Checkpoints: the last ones, and the best by a score that exists; the new one is written before an old one goes."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.runner import Runner

from mtlbox.engine.checkpoint import POINTER, TEMPORARY, write_pointer
from mtlbox.engine.loops import at_boundary
from mtlbox.evaluation import MTLEvaluator
from mtlbox.registry import HOOKS, did_you_mean

_RESTS = (POINTER, 'ema.pth', 'result.json')
"""What a run leaves beside its checkpoints."""


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """Saves the last checkpoints and the best one; whether more or less is better is asked of the evaluator.

    A checkpoint is written whole, then named in ``last_checkpoint``, then older ones are removed. One that falls
    between two steps of the optimizer, where gradients are being accumulated, is put off to the next step. A signal
    to stop adds one, ``iter_{n}.pth``. A run that is not resumed moves what a former one has left in its folders into
    ``before_{time}`` there.

    Args:
        save_best: Score that decides, ``'delta_m'`` or ``'{task}/{score}'``; None keeps no best checkpoint. On a
            replica or a part of the data, where no ``delta_m`` is computed, the first score decides in its place.
        kwargs: As in mmengine: ``interval``, ``by_epoch``, ``max_keep_ckpts``, ``save_last``, ``save_begin``, ...;
            ``out_dir`` is a local folder.

    Raises:
        ValueError: ``backend_args`` or ``file_client_args`` are given.
    """

    out_dir: str | None

    def __init__(self, save_best: str | None = None, **kwargs: Any) -> None:
        for name in ('backend_args', 'file_client_args'):
            if kwargs.get(name) is not None:
                raise ValueError(f'CheckpointHook writes to local folders only, but {name} is {kwargs[name]!r}.')
        super().__init__(save_best=save_best, rule='greater' if save_best else None, **kwargs)
        self._folder = Path()
        self._kept: list[str] = []
        self._postponed = False

    def before_train(self, runner: Runner) -> None:
        """Check that the score which decides will be there, and tidy up after a run that was cut off.

        Raises:
            ValueError: No metric gives that score.
        """
        evaluator = getattr(runner.val_loop, 'evaluator', None)
        if self.save_best is not None and isinstance(evaluator, MTLEvaluator):
            score, known = self.key_indicators[0], evaluator.score_names()
            other_data = evaluator.other_data()
            if score == 'delta_m' and score not in known and known and other_data:
                score = known[0]
                runner.logger.warning(
                    f"save_best is 'delta_m', but {other_data}: the best is told by {score!r} instead."
                )
            if score == 'delta_m' and score not in known:
                raise ValueError(
                    "save_best is 'delta_m', which cannot be computed: the log says which baseline or score is "
                    "missing. Name a task's score instead: default_hooks.checkpoint.save_best="
                    f'{next(iter(known), "semseg/mIoU")}'
                )
            if score not in known:
                raise ValueError(f'save_best is {score!r}, which no metric gives.{did_you_mean(score, known)}')
            self._init_rule(['greater' if evaluator.higher_is_better(score) else 'less'], [score])
        self._folder = Path(runner.work_dir)
        if self.out_dir is not None:
            self._folder = Path(self.out_dir, self._folder.name)
        runner.logger.info(f'Checkpoints will be saved to {self._folder}.')
        known_info = runner.message_hub.runtime_info
        self._kept = list(known_info.get('kept_checkpoints', []))
        if self.save_best is not None:
            self.best_ckpt_path = known_info.get('best_ckpt')
        if is_main_process():
            for leftover in self._folder.glob(f'*.pth{TEMPORARY}'):
                leftover.unlink(missing_ok=True)
            if not runner._resume:
                self._put_aside(runner)
        self._prune(runner)

    def _put_aside(self, runner: Runner) -> None:
        """Move what a former run has left into a folder of its own: neither overwritten nor taken for this run's."""
        name = re.compile(
            rf'(?:best_.*|{re.escape(self.filename_tmpl).replace(re.escape("{}"), "[0-9]+")}|iter_[0-9]+[.]pth)'
        )
        former = [path for path in self._folder.glob('*.pth') if name.fullmatch(path.name)]
        former += [path for path in (Path(runner.work_dir, rest) for rest in _RESTS) if path.is_file()]
        if not former or former == [Path(runner.work_dir, 'result.json')]:
            return
        aside = Path(runner.work_dir, f'before_{runner.timestamp}')
        aside.mkdir(exist_ok=True)
        for path in former:
            path.replace(aside / path.name)
        runner.logger.warning(
            f'{runner.work_dir} held a former run, and this one starts afresh: the checkpoints and results of that one '
            f'were moved to {aside}.'
        )

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Save where the interval says so, or where a checkpoint was put off until now."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if self._postponed and at_boundary(runner.optim_wrapper):
            name = self.filename_tmpl.format(runner.epoch if self.by_epoch else runner.iter + 1)
            self._save(runner, name, {'epoch': runner.epoch, 'iter': runner.iter + 1})

    def before_stop(self, runner: Runner) -> None:
        """Save because the run is about to be stopped."""
        at = runner.iter
        if runner.message_hub.runtime_info.get('last_ckpt_iter') != at:
            self._save(runner, f'iter_{at}.pth', {'epoch': runner.epoch, 'iter': at})

    def _save_checkpoint(self, runner: Runner) -> None:
        if not at_boundary(runner.optim_wrapper):
            runner.logger.info('The checkpoint is put off to the next step of the optimizer.')
            self._postponed = True
        elif self.by_epoch:
            epoch = runner.epoch + 1
            self._save(runner, self.filename_tmpl.format(epoch), {'epoch': epoch, 'iter': runner.iter})
        else:
            done = runner.iter + 1
            self._save(runner, self.filename_tmpl.format(done), {'epoch': runner.epoch, 'iter': done})

    def _save(self, runner: Runner, name: str, meta: dict[str, int]) -> None:
        """Write a checkpoint, name it as the last, remove those that are too many: in this order."""
        self._postponed = False
        self._kept = [*(kept for kept in self._kept if kept != name), name]
        self.last_ckpt = str(self._folder / name)
        runner.message_hub.update_info('kept_checkpoints', self._kept)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.message_hub.update_info('last_ckpt_iter', meta['iter'])
        runner.save_checkpoint(
            str(self._folder),
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
        )
        if is_main_process():
            write_pointer(runner.work_dir, self.last_ckpt)
        self._prune(runner)

    def _prune(self, runner: Runner) -> None:
        if self.max_keep_ckpts <= 0:
            return
        for name in self._kept[: -self.max_keep_ckpts]:
            if is_main_process():
                (self._folder / name).unlink(missing_ok=True)
        self._kept = self._kept[-self.max_keep_ckpts :]
        runner.message_hub.update_info('kept_checkpoints', self._kept)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        if self.save_best is None:
            return
        score, info = self.key_indicators[0], runner.message_hub.runtime_info
        value = metrics.get(score, math.nan)
        if not math.isfinite(value):
            runner.logger.warning(f'{score} has no value in this validation; the best checkpoint stays as it is.')
            return
        if 'best_score' in info and not self.is_better_than[score](value, info['best_score']):
            return
        done = runner.epoch if self.by_epoch else runner.iter
        name = f'best_{score}_{self.filename_tmpl.format(done)}'.replace('/', '_')
        before, self.best_ckpt_path = self.best_ckpt_path, str(self._folder / name)
        runner.message_hub.update_info('best_score', value)
        runner.message_hub.update_info('best_ckpt', self.best_ckpt_path)
        meta = {'epoch': runner.epoch, 'iter': runner.iter}
        runner.save_checkpoint(
            str(self._folder), name, save_optimizer=False, save_param_scheduler=False, meta=dict(meta)
        )
        runner.logger.info(f'The best checkpoint so far, with {value:.4f} {score}, is {name}.')
        if before is not None and before != self.best_ckpt_path and is_main_process():
            Path(before).unlink(missing_ok=True)
        if info.get('last_ckpt_iter') == runner.iter:  # so that it knows of this validation
            self._save(runner, Path(info['last_ckpt']).name, meta)
