"""TIF: against a transcription of its specification, what each switch changes, and that no task hears another."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from mtlbox.models.necks import TIF
from mtlbox.models.necks.tif import resize_scores
from mtlbox.tasks import Task

C, OUT, T = 8, 12, 3
SUM = 16 + 20 + 24 + 28
SWITCHES: list[dict[str, Any]] = [
    {},
    {'distill': 'cross'},
    {'saff': 2},
    {'saff': 0, 'sfd': 0, 'lthd': False},
    {'sfd': 1},
    {'sfd': 1, 'distill': 'cross', 'lthd': False},
    {'lthd': False},
    {'num_terms': 5, 'ffn_ratio': 1},
]


@pytest.fixture
def make(tasks: dict[str, Task], in_channels: tuple[int, ...]) -> Any:
    """Build a neck whose batch norms have statistics of their own, in evaluation mode."""

    def build(**switches: Any) -> TIF:
        torch.manual_seed(0)
        neck = TIF(tasks=tasks, in_channels=in_channels, channels=C, out_channels=OUT, **switches).eval()
        for module in neck.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.running_mean)
                nn.init.uniform_(module.running_var, 0.5, 2)
        return neck

    return build


def run(neck: TIF, pyramid: Sequence[Tensor]) -> dict[str, Tensor]:
    with torch.no_grad():
        return neck(pyramid).features


def bilinear(source: tuple[int, int], target: tuple[int, int]) -> Tensor:
    """Return the matrix of a bilinear resize, ``(pixels after, pixels before)``."""
    pixels = source[0] * source[1]
    images = torch.eye(pixels).view(1, pixels, *source)
    return F.interpolate(images, target, mode='bilinear', align_corners=False).flatten(2)[0].T


@pytest.mark.parametrize('switches', SWITCHES, ids=str)
def test_it_is_its_specification(
    references: ModuleType, make: Any, pyramid: list[Tensor], switches: dict[str, Any]
) -> None:
    neck = make(**switches)
    with torch.no_grad():
        expected = references.tif(neck, pyramid)
    features = run(neck, pyramid)
    assert list(features) == list(expected) == list(neck.tasks)
    for key, x in features.items():
        assert x.shape == (2, OUT, 16, 24)
        torch.testing.assert_close(x, expected[key], rtol=1e-4, atol=1e-5)


def test_scores_are_resized_over_keys_and_queries() -> None:
    scores = torch.randn(2, 3 * 5, 3 * 5)
    matrix = bilinear((3, 5), (5, 9))
    torch.testing.assert_close(resize_scores(scores, (3, 5), (5, 9)), matrix @ scores @ matrix.T, rtol=1e-4, atol=1e-5)
    assert torch.equal(resize_scores(scores, (3, 5), (3, 5)), scores)


class Largest(TorchDispatchMode):
    """Notes the sizes of all softmaxes, and the smaller side of the largest matrix that a product makes."""

    def __init__(self) -> None:
        super().__init__()
        self.attention: set[tuple[int, ...]] = set()
        self.side = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name == '_softmax':
            self.attention.add(tuple(out.shape[-2:]))
        elif name in ('mm', 'bmm', 'addmm', 'baddbmm'):
            self.side = max(self.side, min(out.shape[-2:]))
        return out


@pytest.mark.parametrize('distill', ['self', 'cross'])
def test_no_attention_is_larger_than_the_pooled_size(make: Any, in_channels: tuple[int, ...], distill: str) -> None:
    """At 425x560, where pixels at 1/4 are 14 980: 945 at 1/16 and 252 at 1/32."""
    grids = [(107, 140), (54, 70), (27, 35), (14, 18)]
    pyramid = [torch.empty(1, c, *grid, device='meta') for c, grid in zip(in_channels, grids)]
    with Largest() as largest:
        make(distill=distill).to('meta')(pyramid)
    assert largest.attention == {(945, 945), (252, 252)}
    assert largest.side == 945


def others_change(neck: TIF, pyramid: Sequence[Tensor], listener: str, speaker: str) -> bool:
    """Say whether other weights of one task change the features of another."""
    before = run(neck, pyramid)[listener]
    with torch.no_grad():
        for parameter in neck.decoders[speaker].parameters():
            parameter.add_(torch.randn_like(parameter))
    return not torch.equal(run(neck, pyramid)[listener], before)


@pytest.mark.parametrize('switches', SWITCHES, ids=str)
def test_who_hears_whom(make: Any, pyramid: list[Tensor], switches: dict[str, Any]) -> None:
    heard = switches.get('distill') == 'cross'
    assert others_change(make(**switches), pyramid, 'depth', 'semseg') is heard
    assert others_change(make(**switches), pyramid, 'depth', 'depth')


@pytest.mark.parametrize('fused', range(5))
def test_at_how_many_scales_saff_is(make: Any, pyramid: list[Tensor], fused: int) -> None:
    """Where it is, the map of a scale depends on the backbone's other maps; the coarsest ones come first."""
    neck = make(saff=fused)
    for scale, fusion in enumerate(neck.fusion):
        changed = [x if i == scale else x + 1 for i, x in enumerate(pyramid)]
        with torch.no_grad():
            assert torch.equal(fusion(pyramid), fusion(changed)) is (scale < 4 - fused)


@pytest.mark.parametrize(
    ('switches', 'fine', 'coarse'),
    [
        ({}, True, True),
        ({'sfd': 1}, True, True),
        ({'lthd': False}, False, True),
        ({'sfd': 1, 'lthd': False}, False, True),
        ({'sfd': 0, 'lthd': False}, False, False),
    ],
    ids=str,
)
def test_how_far_a_pixel_is_heard(
    make: Any, pyramid: list[Tensor], switches: dict[str, Any], fine: bool, coarse: bool
) -> None:
    """A change in one corner is heard in the opposite one where attention is: at 1/4 by LTHD, at 1/32 by SFD."""
    neck = make(saff=0, **switches)
    for level, reaches in ((0, fine), (3, coarse)):
        changed = [x.clone() for x in pyramid]
        changed[level][..., 0, 0] += 10
        before, after = run(neck, pyramid)['depth'], run(neck, changed)['depth']
        assert not torch.equal(before[..., 0, 0], after[..., 0, 0])
        assert (not torch.equal(before[..., -1, -1], after[..., -1, -1])) is reaches


def size(neck: nn.Module) -> int:
    return sum(parameter.numel() for parameter in neck.parameters())


FFN = 2 * C + (2 * C * C + 2 * C) + (2 * C * C + C)
SFD = 2 * C + C * C + T * C * C + FFN
LTHD = (C * C + C) + FFN + (2 * C * C * 9 + 2 * C)
MIX = (2 * C * C + C) + (9 * C * C + C) + (9 * C + C) + (C * C + C)
DELTAS: list[tuple[dict[str, Any], int]] = [
    ({'lthd': False}, -2 * T * LTHD),
    ({'sfd': 1}, -T * SFD),
    ({'sfd': 0, 'lthd': False}, -2 * T * (SFD + LTHD)),
    ({'saff': 2}, -2 * MIX - ((SUM - 16) * C + C) - ((SUM - 20) * C + C)),
    ({'saff': 0}, -4 * MIX - (3 * SUM * C + 4 * C)),
    ({'distill': 'cross'}, -2 * T * (T - 1) * C * C),
    ({'num_terms': T + 1}, 2 * T * C * C),
    ({'ffn_ratio': 4}, 4 * T * (4 * C * C + 2 * C)),
]


@pytest.mark.parametrize(('switches', 'delta'), DELTAS, ids=str)
def test_parameters_of_each_switch(make: Any, switches: dict[str, Any], delta: int) -> None:
    assert size(make(**switches)) - size(make()) == delta


@pytest.mark.parametrize('switches', SWITCHES, ids=str)
def test_evaluation_is_deterministic_and_each_image_is_alone(
    make: Any, pyramid: list[Tensor], switches: dict[str, Any]
) -> None:
    neck = make(**switches)
    both, again = run(neck, pyramid), run(neck, pyramid)
    alone = run(neck, [level[1:] for level in pyramid])
    for key in both:
        assert torch.equal(both[key], again[key])
        torch.testing.assert_close(both[key][1:], alone[key], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('switches', SWITCHES, ids=str)
def test_gradients_reach_every_parameter(make: Any, pyramid: list[Tensor], switches: dict[str, Any]) -> None:
    neck = make(**switches).train()
    features = neck(pyramid).features
    torch.stack([(x * torch.randn_like(x)).sum() for x in features.values()]).sum().backward()
    dead = [name for name, p in neck.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []


@pytest.mark.parametrize('distill', ['self', 'cross'])
def test_autocast(make: Any, pyramid: list[Tensor], distill: str) -> None:
    neck = make(distill=distill)
    expected = run(neck, pyramid)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        features = run(neck, pyramid)
        neck(pyramid).features['depth'].sum().backward()
    for key, x in features.items():
        error = (x.float() - expected[key]).norm() / expected[key].norm()
        assert 0 < error < 0.03, f'{key}: {error}'
    assert all(p.grad is None or p.grad.isfinite().all() for p in neck.parameters())


@pytest.mark.slow
def test_compiled(tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]) -> None:
    neck = TIF(tasks={'depth': tasks['depth']}, in_channels=in_channels, channels=C, out_channels=OUT).eval()
    compiled = torch.compile(lambda maps: neck(maps).features['depth'], backend='aot_eager', fullgraph=True)
    expected, features = neck(pyramid).features['depth'], compiled(pyramid)
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-5)
    weight = neck.decoders['depth'].sfd['2'].query.weight
    gradients = [torch.autograd.grad(x.cos().sum(), weight)[0] for x in (expected, features)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ('switches', 'message'),
    [
        ({'distill': 'selv'}, r"distill: expected one of .*got 'selv'; meant 'self'\?"),
        ({'saff': 5}, r'saff: expected 0 to 4 scales, got 5'),
        ({'sfd': 3}, r'sfd: expected 0 to 2 scales, got 3'),
        ({'sfd': 0}, r'lthd=True borrows the attention of SFD, but sfd=0'),
        ({'sfd': 0, 'lthd': False, 'distill': 'cross'}, r"distill='cross' is for sfd=1 or sfd=2, but that is 0: set"),
        ({'sfd': 0, 'lthd': False, 'num_terms': 2}, r'num_terms=2 is for sfd=1 or sfd=2, .*set num_terms=None too'),
        ({'ffn_ratio': 0}, r'ffn_ratio: expected 1 or more, got 0'),
        ({'num_terms': 0}, r"num_terms: expected 1 or more, with distill='self', got 0 with 'self'"),
        ({'num_terms': 2, 'distill': 'cross'}, r"num_terms: .*got 2 with 'cross'"),
    ],
    ids=str,
)
def test_wrong_arguments(make: Any, switches: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**switches)


def test_wrong_pyramid(tasks: dict[str, Task]) -> None:
    with pytest.raises(ValueError, match=r'in_channels: expected four, those of maps at 1/4 to 1/32, got \(8, 8\)'):
        TIF(tasks=tasks, in_channels=(8, 8))
