"""PAD-Net: its message passing against a loop over ordered pairs, and its deep supervision."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mtlbox.models.layers import MessagePassing
from mtlbox.models.necks import PADNet
from mtlbox.tasks import Task


def test_message_passing_is_a_loop_over_ordered_pairs() -> None:
    torch.manual_seed(0)
    tasks = ('semseg', 'depth', 'normals')
    module = MessagePassing(tasks=tasks, channels=6)
    features = {task: torch.randn(2, 6, 5, 7) for task in tasks}
    out = module(features)
    weights = dict(module.named_parameters())
    assert len(weights) == 2 * 6  # gate and message of each ordered pair, none with itself
    for target in tasks:
        expected = features[target].clone()
        for source in tasks:
            if source == target:
                continue
            gate = F.conv2d(features[source], weights[f'messages.{target}.{source}.gate.weight'], padding=1)
            message = F.conv2d(features[source], weights[f'messages.{target}.{source}.message.weight'], padding=1)
            expected += message / (1 + torch.exp(-gate))
        torch.testing.assert_close(out[target], expected)


def test_one_task_has_no_one_to_talk_to() -> None:
    module = MessagePassing(tasks=('depth',), channels=6)
    x = torch.randn(1, 6, 4, 4)
    assert not list(module.parameters())
    assert torch.equal(module({'depth': x})['depth'], x)


def test_deep_supervision_reaches_the_initial_heads_of_its_task_alone(
    tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    neck = PADNet(tasks=tasks, in_channels=in_channels, initial_channels=12, initial_mid_channels=4)
    output = neck(pyramid)
    assert {a.task: tuple(a.logits.shape) for a in output.auxiliaries} == {
        'semseg': (2, 5, 16, 24),
        'depth': (2, 1, 16, 24),
        'normals': (2, 3, 16, 24),
    }
    next(a for a in output.auxiliaries if a.task == 'depth').logits.square().sum().backward()
    with_gradient = {name for name, value in neck.named_parameters() if value.grad is not None and value.grad.any()}
    heads = {name for name in with_gradient if name.startswith('initial_')}
    assert any(name.startswith('initial_blocks.depth.0.reduce') for name in heads)
    assert 'initial_predictors.depth.weight' in heads
    assert all('.depth.' in name for name in heads)
    assert any(name.startswith('fuse.') for name in with_gradient)
    assert not any(name.startswith('distillation.') for name in with_gradient)


def test_every_task_reads_every_other(
    tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    neck = PADNet(tasks=tasks, in_channels=in_channels, initial_channels=12, initial_mid_channels=4)
    neck(pyramid).features['depth'].square().sum().backward()
    for source in tasks:
        gradient = neck.initial_blocks[source][0].reduce.conv.weight.grad
        assert gradient is not None and gradient.any(), source
