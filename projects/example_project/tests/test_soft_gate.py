from __future__ import annotations

import torch
from example_project import SoftGate
from torch import Tensor

from mtlbox.registry import MODELS, NECKS
from mtlbox.tasks import build_tasks

TASKS = build_tasks({'semseg': {'type': 'SemSeg', 'num_classes': 13}, 'depth': {'type': 'Depth'}})


def make(channels: int = 8) -> SoftGate:
    torch.manual_seed(0)
    return SoftGate(tasks=TASKS, in_channels=(4, 6), channels=channels).eval()


def pyramid() -> list[Tensor]:
    torch.manual_seed(1)
    return [torch.randn(2, 4, 8, 12), torch.randn(2, 6, 4, 6)]


def test_is_registered_as_a_neck() -> None:
    assert NECKS.get('SoftGate') is SoftGate
    assert MODELS.get('SoftGate') is SoftGate


def test_shapes() -> None:
    output = make()(pyramid())
    assert list(output.features) == ['semseg', 'depth']
    assert all(x.shape == (2, 8, 8, 12) for x in output.features.values())


def test_a_closed_gate_keeps_the_tasks_apart() -> None:
    neck = make()
    torch.nn.init.zeros_(neck.gate['depth'].weight)
    torch.nn.init.constant_(neck.gate['depth'].bias, -100)
    before = neck(pyramid()).features
    torch.nn.init.normal_(neck.enter['semseg'][0].weight)
    after = neck(pyramid()).features
    torch.testing.assert_close(after['depth'], before['depth'])
    assert not torch.allclose(after['semseg'], before['semseg'])


def test_an_open_gate_adds_the_messages_of_the_others() -> None:
    neck = make()
    torch.nn.init.zeros_(neck.gate['depth'].weight)
    torch.nn.init.constant_(neck.gate['depth'].bias, 100)
    own = {}
    for key, module in neck.enter.items():
        module.register_forward_hook(lambda _, __, out, key=key: own.__setitem__(key, out))
    features = neck(pyramid()).features
    torch.testing.assert_close(features['depth'], own['depth'] + neck.message['semseg'](own['semseg']))
