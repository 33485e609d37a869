"""DeMT: against a transcription of its specification, and what each switch changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mtlbox.models.layers import concat_pyramid, to_map, to_tokens
from mtlbox.models.layers.task_attention import TaskAttention, pool_tokens
from mtlbox.models.necks import DeMT
from mtlbox.tasks import Task

CHANNELS, HEADS = 8, 2
SMALL = {'channels': CHANNELS, 'num_heads': HEADS}
SWITCHES: list[dict[str, Any]] = [
    {},
    {'attention': 'global'},
    {'attention': 'global', 'kv_stride': 3},
    {'attention': 'none'},
    {'norm_first': True},
    {'norm_first': True, 'attention': 'global'},
    {'mixer_order': 'paper', 'absolute_coords': False},
    {'query': False},
    {'interaction': False},
    {'depth': 2, 'gated_channels': 12},
    {'num_scales': 2},
]


@pytest.fixture
def make(tasks: dict[str, Task], in_channels: tuple[int, ...]) -> Any:
    """Build a neck whose batch norms have statistics of their own, in evaluation mode."""

    def build(**switches: Any) -> DeMT:
        torch.manual_seed(0)
        neck = DeMT(tasks=tasks, in_channels=in_channels, **{**SMALL, **switches}).eval()
        for module in neck.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.running_mean)
                nn.init.uniform_(module.running_var, 0.5, 2)
        return neck

    return build


def run(neck: DeMT, pyramid: Sequence[Tensor]) -> dict[str, Tensor]:
    with torch.no_grad():
        return neck(pyramid).features


def torchs(attention: TaskAttention) -> nn.MultiheadAttention:
    module = nn.MultiheadAttention(CHANNELS, HEADS, batch_first=True)
    module.load_state_dict(attention.state_dict())
    return module


def transcription(neck: DeMT, pyramid: Sequence[Tensor], *, everywhere: bool, stride: int) -> dict[str, Tensor]:
    """Steps 1 to 4 with torch's attention: at one pixel after another, or over all tokens."""
    size = pyramid[0].shape[-2:]
    reduced = to_map(neck.reduce(to_tokens(concat_pyramid(pyramid))), size)
    own = [to_tokens(mixer(reduced)) for mixer in neck.mixers.values()]
    joint = torch.cat(own, dim=1)  # (B, T * N, C)
    interaction = torchs(neck.interaction.attention)
    pixels = own[0].shape[1]

    def pooled(x: Tensor) -> Tensor:
        return pool_tokens(x.unflatten(1, (-1, pixels)), size, stride).flatten(1, 2)

    if everywhere:
        fused = interaction(joint, pooled(joint), pooled(joint))[0]
    else:
        fused = torch.cat([interaction(x, x, x)[0] for x in joint.split(1, dim=1)], dim=1)  # sequences of one token
    fused = neck.interaction.mlp(fused)
    features = {}
    for key, mine in zip(neck.tasks, own):
        block = neck.queries[key]
        attention = torchs(block.attention)
        if everywhere:
            asked = attention(mine, pooled(fused), pooled(fused))[0]
        else:
            there = [fused[:, pixel::pixels] for pixel in range(pixels)]  # the tasks' tokens at a pixel
            asked = torch.cat([attention(mine[:, i : i + 1], x, x)[0] for i, x in enumerate(there)], dim=1)
        features[key] = to_map(mine + block.mlp(asked), size)
    return features


@pytest.mark.parametrize(
    ('attention', 'stride'), [('per_pixel', 1), ('global', 1), ('global', 3)], ids=['pixel', 'global', 'pooled']
)
def test_it_is_its_specification(make: Any, pyramid: list[Tensor], attention: str, stride: int) -> None:
    neck = make(attention=attention, kv_stride=stride)
    with torch.no_grad():
        expected = transcription(neck, pyramid, everywhere=attention == 'global', stride=stride)
    features = run(neck, pyramid)
    assert list(features) == list(expected) == list(neck.tasks)
    for key, x in features.items():
        assert x.shape == (2, CHANNELS, 16, 24)
        torch.testing.assert_close(x, expected[key], rtol=1e-4, atol=1e-5)


def hears(neck: DeMT, pyramid: Sequence[Tensor], listener: str, speaker: str) -> bool:
    """Say whether another mixer of one task changes the features of another."""
    before = run(neck, pyramid)[listener]
    with torch.no_grad():
        for parameter in neck.mixers[speaker].parameters():
            parameter.add_(torch.randn_like(parameter))
    return not torch.allclose(run(neck, pyramid)[listener], before, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ('switches', 'heard'),
    [
        ({}, True),
        ({'attention': 'none'}, False),
        ({'attention': 'global'}, True),
        ({'attention': 'global', 'kv_stride': 4}, True),
        ({'interaction': False}, True),
        ({'query': False}, False),  # the interaction of the released code is over single tokens
        ({'query': False, 'attention': 'global'}, True),
        ({'query': False, 'interaction': False}, False),
    ],
    ids=str,
)
def test_who_hears_whom(make: Any, pyramid: list[Tensor], switches: dict[str, Any], heard: bool) -> None:
    assert hears(make(**switches), pyramid, 'depth', 'semseg') is heard
    assert hears(make(**switches), pyramid, 'depth', 'depth')


@pytest.mark.parametrize(('attention', 'reaches'), [('per_pixel', False), ('global', True)])
def test_how_far_a_task_hears(make: Any, pyramid: list[Tensor], attention: str, reaches: bool) -> None:
    """Another token of one task at a corner changes another task at the other corner only with global attention."""
    neck = make(attention=attention)
    tokens = torch.randn(1, 3, 6 * 8, CHANNELS)
    changed = tokens.clone()
    changed[:, 0, 0] += 1

    def ask(x: Tensor) -> Tensor:
        fused = neck.interaction(x, (6, 8))
        return neck.queries['depth'](tokens[:, 1], fused, 1, (6, 8))

    with torch.no_grad():
        before, after = ask(tokens), ask(changed)
    assert not torch.allclose(before[:, 0], after[:, 0], atol=1e-6)
    assert (not torch.equal(before[:, -1], after[:, -1])) is reaches


def size(neck: nn.Module) -> int:
    return sum(parameter.numel() for parameter in neck.parameters())


C, T = CHANNELS, 3
ATTENTION, MLP, NORM = 4 * C * C + 4 * C, C * C + C + 2 * C, 2 * C
MIXER = 2 * (C * C + C) + 2 * NORM + (18 * 9 * C + 18) + (2 * C * 9 * 9 + 2 * C)
DELTAS: list[tuple[dict[str, Any], int]] = [
    ({'attention': 'global'}, 0),
    ({'attention': 'none'}, 0),
    ({'mixer_order': 'paper'}, 0),
    ({'absolute_coords': False}, 0),
    ({'depth': 3}, 2 * T * MIXER),
    ({'mixer': False}, -T * MIXER),
    ({'interaction': False}, -ATTENTION - MLP),
    ({'query': False}, -T * (ATTENTION + MLP)),
    ({'norm_first': True}, 2 * sum((16, 20, 24, 28)) - NORM + NORM + T * 2 * NORM),
    ({'num_scales': 1}, -C * (20 + 24 + 28)),
    ({'keep_unused': False}, -2 * (C * C + C)),
    ({'keep_unused': False, 'attention': 'none'}, -(1 + T) * 2 * (C * C + C)),
    ({'keep_unused': False, 'attention': 'global'}, 0),
    ({'gated_channels': 12}, NORM + (12 * C + 12) + 2 * 6 + (6 * 6 + 6) + (6 * C + C)),
]


@pytest.mark.parametrize(('switches', 'delta'), DELTAS, ids=str)
def test_parameters_of_a_switch(make: Any, switches: dict[str, Any], delta: int) -> None:
    assert size(make(**switches)) - size(make()) == delta


@pytest.mark.parametrize('switches', [*SWITCHES[1:], {'mixer': False}, {'absolute_coords': False}], ids=str)
def test_a_switch_changes_the_function(make: Any, pyramid: list[Tensor], switches: dict[str, Any]) -> None:
    """With the same weights, as far as both have them, no task gets the same."""
    base, changed = make(), make(**switches)
    own = changed.state_dict()
    changed.load_state_dict(
        {name: value for name, value in base.state_dict().items() if name in own and value.shape == own[name].shape},
        strict=False,
    )
    one, other = run(base, pyramid), run(changed, pyramid)
    assert not any(torch.allclose(one[key], other[key], rtol=1e-4, atol=1e-5) for key in one)


def test_unused_projections_change_nothing(make: Any, pyramid: list[Tensor]) -> None:
    base, changed = make(), make(keep_unused=False)
    state = base.state_dict()
    for name in ('weight', 'bias'):
        state[f'interaction.attention.in_proj_{name}'] = state[f'interaction.attention.in_proj_{name}'][-CHANNELS:]
    changed.load_state_dict(state)
    one, other = run(base, pyramid), run(changed, pyramid)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_checkpoints_of_all_attentions_fit_each_other(make: Any) -> None:
    state = make().state_dict()
    for attention in ('global', 'none'):
        make(attention=attention).load_state_dict(state)


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


def dead(neck: DeMT, pyramid: Sequence[Tensor]) -> set[str]:
    """Return the parameters, and thirds of ``in_proj``, that no gradient reaches."""
    features = neck.train()(pyramid).features
    torch.stack([(x * torch.randn_like(x)).sum() for x in features.values()]).sum().backward()
    found = set()
    for name, parameter in neck.named_parameters():
        assert parameter.grad is not None, name
        if 'in_proj' in name and len(parameter) == 3 * CHANNELS:
            found |= {f'{name}[{part}]' for part, grad in zip('qkv', parameter.grad.chunk(3)) if not grad.any()}
        elif not parameter.grad.any():
            found.add(name)
    return found


def unused(*blocks: str) -> set[str]:
    return {
        f'{block}.attention.in_proj_{kind}[{part}]' for block in blocks for kind in ('weight', 'bias') for part in 'qk'
    }


@pytest.mark.parametrize('switches', SWITCHES, ids=str)
def test_gradients_reach_every_parameter(make: Any, pyramid: list[Tensor], switches: dict[str, Any]) -> None:
    neck = make(keep_unused=False, **switches)
    if 'gated_channels' in switches:
        nn.init.normal_(neck.gated.gate[1].weight)  # starts as 0, and lets nothing through to the norm before it
    assert dead(neck, pyramid) == set()


def test_what_the_released_code_holds_for_nothing(make: Any, pyramid: list[Tensor]) -> None:
    assert dead(make(), pyramid) == unused('interaction')
    queries = [f'queries.{key}' for key in ('semseg', 'depth', 'normals')]
    assert dead(make(attention='none'), pyramid) == unused('interaction', *queries)
    assert dead(make(attention='global'), pyramid) == set()


def test_recomputing_changes_nothing(make: Any, pyramid: list[Tensor]) -> None:
    results = []
    for with_cp in (False, True):
        neck = make(with_cp=with_cp).train()
        maps = [level.clone().requires_grad_() for level in pyramid]
        features = neck(maps).features
        torch.stack([x.cos().sum() for x in features.values()]).sum().backward()
        gradients = [maps[0].grad, neck.reduce[0].weight.grad]
        statistics = [value for name, value in neck.named_buffers() if 'running' in name]
        results.append([*features.values(), *gradients, *statistics])
    for one, other in zip(*results):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize('attention', ['per_pixel', 'global'])
def test_autocast(make: Any, pyramid: list[Tensor], attention: str) -> None:
    neck = make(attention=attention)
    expected = run(neck, pyramid)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        features = run(neck, pyramid)
        neck(pyramid).features['depth'].sum().backward()
    for key, x in features.items():
        error = (x.float() - expected[key]).norm() / expected[key].norm()
        assert 0 < error < 0.03, f'{key}: {error}'
    assert all(p.grad is None or p.grad.isfinite().all() for p in neck.parameters())


@pytest.mark.slow
@pytest.mark.parametrize('attention', ['per_pixel', 'global'])
def test_compiled(make: Any, pyramid: list[Tensor], attention: str) -> None:
    neck = make(attention=attention)
    compiled = torch.compile(lambda maps: neck(maps).features, backend='aot_eager', fullgraph=True)
    expected = neck(pyramid).features
    features = compiled(pyramid)
    for key in expected:
        torch.testing.assert_close(features[key], expected[key], rtol=1e-4, atol=1e-5)
    gradients = [
        torch.autograd.grad(x['depth'].cos().sum(), neck.mixers['semseg'][0].deform.conv.weight)[0]
        for x in (expected, features)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ('switches', 'message'),
    [
        ({'attention': 'pixel'}, r"attention: expected one of .*got 'pixel'; meant 'per_pixel'\?"),
        ({'mixer_order': 'cod', 'mixer': False}, r"mixer_order: expected one of .*meant 'code'\?"),
        ({'mixer': False, 'mixer_order': 'paper'}, r"mixer_order='paper' is for mixer=True, .* mixer_order='code' too"),
        ({'mixer': False, 'absolute_coords': False}, r'absolute_coords=False is for mixer=True'),
        ({'mixer': False, 'depth': 2}, r'depth=2 is for mixer=True, but that is False: set depth=1 too'),
        (
            {'attention': 'global', 'kv_stride': 2, 'interaction': False, 'query': False},
            r'kv_stride=2 is for interaction=True or query=True, but both are False',
        ),
        ({'gated_channels': 0}, r'gated_channels: expected None, or an even number from 2 on, got 0'),
        ({'gated_channels': 9}, r'gated_channels: expected .* got 9'),
        ({'mixer_order': 'cod'}, r"order: expected one of .*meant 'code'\?"),
        ({'num_scales': 5}, r"num_scales: expected 1 to 4, the backbone's maps, got 5"),
        ({'depth': 0}, r'depth: expected 1 or more, got 0'),
        ({'kv_stride': 2}, r"kv_stride=2 is for attention='global', but attention is 'per_pixel'"),
        ({'num_heads': 0}, r'num_heads: expected 1 or more, got 0'),
        ({'num_heads': 3}, r'channels: expected a multiple of num_heads=3, got 8'),
    ],
    ids=str,
)
def test_wrong_arguments(make: Any, switches: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**switches)
