"""The scores of a run, with all that is needed to make them again."""

from __future__ import annotations

import copy
import json
import logging
import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mmcv
import mmengine
import numpy as np
import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mtlbox.config import config_hash
from mtlbox.engine.checkpoint import replace_file
from mtlbox.engine.rng import keep_rng
from mtlbox.engine.source import source_commit
from mtlbox.evaluation import MTLEvaluator
from mtlbox.registry import HOOKS
from mtlbox.version import __version__


@HOOKS.register_module()
class ResultHook(Hook):
    """Writes ``result.json`` into the work directory after each validation and test.

    It holds the scores with their protocols, what they were measured on (``data``: data set, split, number of samples,
    whether it is a replica), what the run was ``trained_on`` (the same, and which labels were kept), the epoch and
    iteration, the config's name and hash, the commit, the seed, the device and the versions; the backbone, the number
    of parameters, the MACs of one image of ``macs_size`` (H, W), at which the first batch entered the network, and the
    baseline of delta_m with the reasons why it is not comparable where that was forced. ``best`` is the validation with
    the best value of what the checkpoint hook keeps (``save_best``). ``scores`` are the run's: the test's, else the
    best validation's, else the last one's; ``iter`` is how many iterations the network was trained for then. A score
    that could not be computed is null.

    Where a checkpoint is tested, commit, seed, world size and ``trained_on`` are those of its training, null where it
    does not say; ``test`` names the checkpoint, the commit that scored it, and ``ema`` where its weights are averages.
    """

    priority = 'LOW'

    def __init__(self) -> None:
        self._result: dict[str, Any] = {}
        self._macs: dict[tuple[int, int], int | None] = {}
        self._size: tuple[int, int] | None = None
        self._training: dict[str, Any] | None = None

    def before_train(self, runner: Runner) -> None:
        """Keep what is trained on."""
        metainfo = getattr(runner.train_dataloader.dataset, 'metainfo', None) or {}
        self._result['trained_on'] = metainfo.get('origin')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the validations so far in the checkpoint."""
        checkpoint['result'] = copy.deepcopy(self._result)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Go on with the validations of the run that is resumed."""
        if runner._resume:
            self._result = copy.deepcopy(checkpoint.get('result', {}))

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence | None = None
    ) -> None:
        """Note the size at which images enter the network."""
        if batch_idx == 0:
            self._size = _size(data_batch, outputs)

    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Sequence | None = None
    ) -> None:
        """Note the size at which images enter the network."""
        self.after_val_iter(runner, batch_idx, data_batch, outputs)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Record a validation."""
        entry = {'epoch': runner.epoch, 'iter': runner.iter, 'scores': _numbers(metrics or {})}
        self._result['val'] = entry
        score, sign = self._watched(runner)
        value = entry['scores'].get(score) if score else None
        if value is not None:
            best = self._result.get('best')
            if best is None or sign * value > sign * best['scores'][score]:
                self._result['best'] = {**entry, 'by': score}
        self._write(runner, runner.val_loop.evaluator)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Record a test."""
        loaded = None if runner.iter else getattr(runner, 'loaded_training', None)
        self._training = loaded
        if loaded:
            self._result['trained_on'] = loaded['trained_on']
        self._result['test'] = {
            'checkpoint': runner._load_from if loaded else None,
            'iter': loaded['iter'] if loaded else runner.iter or None,
            'commit': source_commit(),
            **({'ema': True} if loaded and loaded['ema'] else {}),
            'scores': _numbers(metrics or {}),
        }
        self._write(runner, runner.test_loop.evaluator)

    def _watched(self, runner: Runner) -> tuple[str | None, int]:
        for hook in runner.hooks:
            indicators = getattr(hook, 'key_indicators', None)
            if indicators:
                return indicators[0], 1 if hook.rules[0] == 'greater' else -1
        return None, 1

    @master_only
    def _write(self, runner: Runner, evaluator: Any) -> None:
        described = evaluator.description() if isinstance(evaluator, MTLEvaluator) else {'protocols': {}}
        model = runner.cfg.get('model')
        if self._size is not None and self._size not in self._macs:
            self._macs[self._size] = _macs(runner, self._size)
        training = self._training or {
            'commit': source_commit(),
            'seed': runner.seed,
            'world_size': runner.world_size,
        }
        chosen = self._result.get('test') or self._result.get('best') or self._result['val']
        text = json.dumps(
            {
                'config': runner.cfg.filename,
                'config_hash': config_hash(runner.cfg),
                'commit': training['commit'],
                'seed': training['seed'],
                'device': _device(),
                'world_size': training['world_size'],
                'versions': _versions(),
                'parameters': getattr(runner, 'num_parameters', None),
                'macs': None if self._size is None else self._macs[self._size],
                'macs_size': self._size,
                'model': model.get('type') if isinstance(model, Mapping) else None,
                **described,
                'iter': chosen.get('iter'),
                'scores': chosen['scores'],
                **self._result,
            },
            indent=2,
        )
        replace_file(Path(runner.work_dir, 'result.json'), lambda temporary: temporary.write_text(text + '\n'))


def _numbers(scores: Mapping[str, Any]) -> dict[str, float | None]:
    return {key: float(value) if math.isfinite(float(value)) else None for key, value in scores.items()}


def _size(batch: Any, outputs: Sequence | None) -> tuple[int, int] | None:
    """(H, W) at which the images of a batch entered the network, padding included; None where it is not known."""
    padded = getattr(outputs[0], 'pad_shape', None) if outputs else None
    if padded is None:
        inputs = batch.get('inputs') if isinstance(batch, Mapping) else None
        padded = inputs[0].shape if inputs is not None and len(inputs) else ()
    return (int(padded[-2]), int(padded[-1])) if len(padded) > 1 else None


def _macs(runner: Runner, size: tuple[int, int]) -> int | None:
    """MACs of one image of ``size`` (H, W), counted on a second, memoryless model; None where it fails."""
    from mtlbox.apis.complexity import build_for_counting, count_complexity, logits  # which imports the engine

    model = runner.cfg.get('model')
    if not isinstance(model, Mapping):
        return None
    try:
        with keep_rng():  # a model that cannot be built without memory draws weights
            images = torch.empty(1, 3, *size, device='meta')
            return count_complexity(build_for_counting(dict(model)), images, forward=logits).macs
    except Exception as error:  # a model may do what cannot be counted, and the scores are what matters
        print_log(f'The MACs could not be counted: {error}', logger='current', level=logging.WARNING)
        return None


def _device() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f'CPU, {torch.get_num_threads()} threads'


def _versions() -> dict[str, str]:
    return {
        'mtlbox': __version__,
        'python': platform.python_version(),
        'torch': torch.__version__,
        'mmengine': mmengine.__version__,
        'mmcv': mmcv.__version__,
        'numpy': np.__version__,
    }
