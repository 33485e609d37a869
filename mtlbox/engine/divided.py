"""What the wrappers that divide a training among the ranks have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from mmengine.dist import broadcast
from mmengine.optim import OptimWrapper
from torch import Tensor, nn


class DividedModel(nn.Module, ABC):
    """A model whose weights, gradients or optimiser state are divided among the ranks.

    It is initialised before it is divided, so that it starts as in one process. What ``state_dict`` returns, of the
    model and of its optimiser, is whole and plain, the same as in a run that divides nothing, and is divided again when
    it is loaded: checkpoints go both ways. Every rank must call it, since all have a part.

    Args:
        module: The model; given by the Runner.

    Raises:
        ValueError: The model has ``channels_last``: what is divided is flattened, and no longer laid out as NHWC.
    """

    has_whole_weights = False
    """Whether each rank holds all weights."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        if getattr(module, 'channels_last', False):
            raise ValueError(
                f'model_wrapper_cfg is {type(self).__name__}, which flattens the weights that channels_last=True '
                'lays out as NHWC. Set it to False; model.data_preprocessor.channels_last=True is for the images alone.'
            )
        initialise = getattr(module, 'init_weights', None)
        if initialise is not None:
            initialise()
        for value in module.state_dict().values():
            broadcast(value)
        self.module: Any = module

    @abstractmethod
    def attach(self, optim_wrapper: OptimWrapper) -> OptimWrapper:
        """Return the wrapper of an optimiser whose state is divided with the model."""

    def give_parts(self, optim_wrapper: OptimWrapper | None = None) -> None:
        """Take part in ``state_dict`` of the model, then of the optimiser, which the first rank calls to save them."""
        self.module.state_dict()
        if optim_wrapper is not None:
            optim_wrapper.state_dict()

    def weights_were_loaded(self) -> None:
        """Let what was derived from the weights follow those of a checkpoint."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model."""
        return self.module(*args, **kwargs)

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """Take a step and return what is logged."""
        return self.module.train_step(data, optim_wrapper)

    def val_step(self, data: Any) -> list:
        """Return the predictions for a batch; every rank must call it equally often."""
        return self.module.val_step(data)

    def test_step(self, data: Any) -> list:
        """Return the predictions for a batch; every rank must call it equally often."""
        return self.module.test_step(data)
