"""Homoscedastic uncertainty weighting.

Kendall, Gal, Cipolla: Multi-Task Learning Using Uncertainty to Weigh Losses, CVPR 2018, Equations 7 and 10.
The form ``mtformer`` is that of MTFormer's released code (ECCV 2022); that paper's Equation 7 is Kendall's.
Deviation: a task that no image of the batch is labelled for leaves its uncertainty alone (the paper's data always
has every label).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mtlbox.models.layers.checks import one_of
from mtlbox.models.weightings.base import Weighting, weight_per_task
from mtlbox.registry import WEIGHTINGS
from mtlbox.tasks import Task


@WEIGHTINGS.register_module()
class UncertaintyWeighting(Weighting):
    """Learnt weights in Kendall's form: L / (2 s^2) + log s for regression, L / s^2 + log s for classification.

    What is learnt is log s^2 per task, which keeps s positive; ``(1,)``, since FSDP divides no scalars. Which of the
    two terms a task takes follows from its ``likelihood``.

    Args:
        tasks: The model's tasks by key; given by the model.
        init_log_variance: log s^2 at the start.
        form: ``'kendall'``, or ``'mtformer'``: 10 L / s^2 + log s^2 for every task.
        weights: Fixed factor of each task's loss beside the learnt one, by key; 1 for those that are not named.

    Raises:
        ValueError: The form is unknown, or a weight is given for something that is not a task, or is negative.
    """

    def __init__(
        self,
        *,
        tasks: Mapping[str, Task],
        init_log_variance: float = 0.0,
        form: str = 'kendall',
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(tasks=tasks)
        one_of('form', form, ('kendall', 'mtformer'))
        self.log_variance = nn.ParameterDict(
            {key: nn.Parameter(torch.full((1,), float(init_log_variance))) for key in tasks}
        )
        if form == 'kendall':
            factors = {key: 1.0 if task.likelihood == 'categorical' else 0.5 for key, task in tasks.items()}
            self.penalty = 0.5
        else:
            factors = dict.fromkeys(tasks, 10.0)
            self.penalty = 1.0
        self.factors = {key: factors[key] * weight for key, weight in weight_per_task(weights, tasks).items()}

    def forward(self, losses: dict[str, Tensor], labelled: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the sum of the weighted losses and the penalties, and the weights for the log."""
        parts, logs = [], {}
        for key, loss in losses.items():
            log_variance = self.log_variance[key].squeeze(0)
            weight = self.factors[key] * torch.exp(-log_variance)
            present = (labelled[key] > 0).to(loss.dtype)
            parts.append(weight * loss + self.penalty * log_variance * present)
            logs[f'{key}/weight'] = weight.detach()
        return sum(parts[1:], parts[0]), logs
