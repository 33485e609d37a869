"""Homoscedastic uncertainty weighting.

Kendall, Gal, Cipolla: Multi-Task Learning Using Uncertainty to Weigh Losses, CVPR 2018, Equations 7 and 10.
Deviation: a task that no image of the batch is labelled for leaves its uncertainty alone (the paper's data always
has every label).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mtlbox.models.weightings.base import Weighting
from mtlbox.registry import WEIGHTINGS
from mtlbox.tasks import Task


@WEIGHTINGS.register_module()
class UncertaintyWeighting(Weighting):
    """Learnt weights in Kendall's form: L / (2 s^2) + log s for regression, L / s^2 + log s for classification.

    What is learnt is log s^2 per task, which keeps s positive; ``(1,)``, since FSDP divides no scalars. Which of the
    two forms a task takes follows from its ``likelihood``.

    Args:
        tasks: The model's tasks by key; given by the model.
        init_log_variance: log s^2 at the start.
    """

    def __init__(self, *, tasks: Mapping[str, Task], init_log_variance: float = 0.0) -> None:
        super().__init__(tasks=tasks)
        self.log_variance = nn.ParameterDict(
            {key: nn.Parameter(torch.full((1,), float(init_log_variance))) for key in tasks}
        )
        self.factors = {key: 1.0 if task.likelihood == 'categorical' else 0.5 for key, task in tasks.items()}

    def forward(self, losses: dict[str, Tensor], labelled: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the sum of the weighted losses and the penalties, and the weights for the log."""
        parts, logs = [], {}
        for key, loss in losses.items():
            log_variance = self.log_variance[key].squeeze(0)
            weight = self.factors[key] * torch.exp(-log_variance)
            present = (labelled[key] > 0).to(loss.dtype)
            parts.append(weight * loss + 0.5 * log_variance * present)
            logs[f'{key}/weight'] = weight.detach()
        return sum(parts[1:], parts[0]), logs
