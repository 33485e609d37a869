"""The scores of a run, with all that is needed to make them again."""

from __future__ import annotations

import copy
import json
import logging
import math
import platform
import subprocess
from collections.abc import Mapping
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
from mtlbox.evaluation import MTLEvaluator
from mtlbox.registry import HOOKS
from mtlbox.version import __version__


@HOOKS.register_module()
class ResultHook(Hook):
    """Writes ``result.json`` into the work directory after each validation and test.

    It holds the scores with their protocols, what they were measured on (``data``: data set, split, number of samples,
    whether it is a replica), what the run was ``trained_on`` (the same, and which labels were kept), the epoch and
    iteration, the config's name and hash, the commit, the seed, the device and the versions; the backbone, the number
    of parameters, the MACs of one image of the config's ``input_size``, and the baseline of delta_m with the reasons
    why it is not comparable where that was forced. ``best`` is the validation with the best value of what the
    checkpoint hook keeps (``save_best``). ``scores`` are the run's: the test's, else the best validation's, else the
    last one's; ``iter`` is how many iterations the network was trained for then. A score that could not be computed is
    null.
    """

    priority = 'LOW'

    def __init__(self) -> None:
        self._result: dict[str, Any] = {}
        self._macs: int | None = None
        self._counted = False

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
        self._result['test'] = {
            'checkpoint': runner._load_from,
            'iter': runner.iter or runner.loaded_iter,
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
        if not self._counted:
            self._macs, self._counted = _macs(runner), True
        chosen = self._result.get('test') or self._result.get('best') or self._result['val']
        text = json.dumps(
            {
                'config': runner.cfg.filename,
                'config_hash': config_hash(runner.cfg),
                'commit': _commit(),
                'seed': runner.seed,
                'device': _device(),
                'world_size': runner.world_size,
                'versions': _versions(),
                'parameters': getattr(runner, 'num_parameters', None),
                'macs': self._macs,
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


def _macs(runner: Runner) -> int | None:
    """MACs of one image of the config's ``input_size``, counted on a second, memoryless model; None where it fails."""
    from mtlbox.apis.complexity import build_for_counting, count_complexity, logits  # which imports the engine

    model, size = runner.cfg.get('model'), runner.cfg.get('input_size')
    if not isinstance(model, Mapping) or size is None:
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


def _commit() -> str | None:
    """Return the commit of the source tree, with ``-dirty`` where files differ from it; None outside a checkout."""
    command = ['git', '-C', str(Path(__file__).parent), 'describe', '--always', '--dirty', '--abbrev=12', '--exclude=*']
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
