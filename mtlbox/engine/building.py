"""What mmengine's Runner builds, refused where nothing could come of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.evaluator import Evaluator
from mmengine.runner import BaseLoop, Runner
from torch.utils.data import DataLoader

from mtlbox.evaluation import MTLEvaluator
from mtlbox.leaderboard import backbone_of
from mtlbox.registry import EVALUATORS


class CheckedBuilds(Runner):
    """A Runner whose loaders give a batch at least, and whose evaluator is ours unless another one is named."""

    @staticmethod
    def build_dataloader(dataloader: DataLoader | dict, *args: Any, **kwargs: Any) -> DataLoader:
        """Return the loader; what it takes is as in mmengine.

        Raises:
            ValueError: It would give no batch.
        """
        loader = Runner.build_dataloader(dataloader, *args, **kwargs)
        if hasattr(loader.dataset, '__len__') and hasattr(loader.batch_sampler, '__len__') and not len(loader):
            raise ValueError(
                f'{loader.dataset!r} has {len(loader.dataset)} samples, fewer than batch_size={loader.batch_size} (of '
                'one rank), and drop_last=True leaves no batch. Take a smaller batch_size, more samples, or '
                'drop_last=False.'
            )
        return loader

    def build_train_loop(self, loop: BaseLoop | dict) -> BaseLoop:
        """Return the training loop.

        Raises:
            ValueError: It would do no iteration.
        """
        built = super().build_train_loop(loop)
        if getattr(built, 'max_iters', 1) < 1:
            length = 'max_epochs' if isinstance(loop, Mapping) and 'max_epochs' in loop else 'max_iters'
            raise ValueError(f'train_cfg: {length} must be at least 1, but is {getattr(built, length)}.')
        return built

    def build_evaluator(self, evaluator: Evaluator | dict | list) -> Evaluator:
        """Return the evaluator; metrics alone, or a dict without ``type``, are given to ``MTLEvaluator``.

        ``MTLEvaluator`` is told the model's backbone, so that it refuses a baseline of another one.
        """
        if isinstance(evaluator, Evaluator):
            return evaluator
        if not isinstance(evaluator, Mapping) or not {'metrics', 'evaluators'} & evaluator.keys():
            evaluator = {'metrics': evaluator}
        built = EVALUATORS.build({'type': 'MTLEvaluator', **evaluator})
        model = self.cfg.get('model')
        if isinstance(built, MTLEvaluator) and isinstance(model, Mapping):
            built.backbone = backbone_of(model)
        return built
