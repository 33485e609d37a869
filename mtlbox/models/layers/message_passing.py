"""Gated message passing between tasks: the distillation of PAD-Net, which MTI-Net uses at each scale.

Xu et al., PAD-Net, CVPR 2018, distillation module C; Vandenhende et al., MTI-Net, ECCV 2020.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from torch import Tensor, nn

from mtlbox.models.layers.recompute import recompute


class GatedMessage(nn.Module):
    """What one task tells another: ``sigmoid(gate(x)) * message(x)``, both 3x3 convolutions without bias.

    Args:
        channels: Channels of the features and of the message.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.message = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, channels, H, W)`` to the same shape."""
        return self.gate(x).sigmoid() * self.message(x)


class MessagePassing(nn.Module):
    """Adds to each task's features a gated message from every other task.

    Args:
        tasks: Task keys.
        channels: Channels of every task's features.
        with_cp: Recompute the activations of the messages in the backward pass instead of keeping them.
    """

    def __init__(self, *, tasks: Sequence[str], channels: int, with_cp: bool = False) -> None:
        super().__init__()
        self.with_cp = with_cp
        self.messages = nn.ModuleDict(
            {
                target: nn.ModuleDict({source: GatedMessage(channels=channels) for source in tasks if source != target})
                for target in tasks
            }
        )

    def forward(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One map ``(B, channels, H, W)`` per task to ``F_t + sum over s != t of message_ts(F_s)``, same shapes."""
        passed = {}
        for target, messages in self.messages.items():
            total = features[target]
            for source, message in cast(nn.ModuleDict, messages).items():
                total = total + recompute(message, message, features[source], enabled=self.with_cp)
            passed[target] = total
        return passed
