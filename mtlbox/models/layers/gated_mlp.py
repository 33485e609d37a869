"""A gated multilayer perceptron over channels: the addition of DeMTG.

Official code: https://github.com/yangyangxu0/DeMTG
"""

from __future__ import annotations

from torch import Tensor, nn


class GatedMLP(nn.Module):
    """``x + fc2(u * gate(v))`` with (u, v) the halves of ``GELU(fc1(LN(x)))``; the gate starts as 1.

    The gate is a LayerNorm and a linear layer over the channels of each token, with weights 0 and biases 1 at first.

    Args:
        channels: Channels of the tokens.
        hidden_channels: Channels after the first layer, an even number.

    Raises:
        ValueError: If ``hidden_channels`` is odd.
    """

    def __init__(self, *, channels: int, hidden_channels: int) -> None:
        super().__init__()
        if hidden_channels < 2 or hidden_channels % 2:
            raise ValueError(f'hidden_channels: expected an even number from 2 on, got {hidden_channels}')
        half = hidden_channels // 2
        self.enter = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, hidden_channels), nn.GELU())
        gate = nn.Linear(half, half)
        nn.init.zeros_(gate.weight)
        nn.init.ones_(gate.bias)
        self.gate = nn.Sequential(nn.LayerNorm(half), gate)
        self.leave = nn.Linear(half, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens ``(..., channels)`` to the same shape."""
        passed, gate = self.enter(x).chunk(2, dim=-1)
        return x + self.leave(passed * self.gate(gate))
