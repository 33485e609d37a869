"""PAP-Net: its diffusion against the definition, in both forms, with each of its quirks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mtlbox.models.layers.pattern_affinity import diffuse_dense, diffuse_factored, normalise_features
from mtlbox.models.necks import PAPNet
from mtlbox.tasks import Task

SMALL = {'channels': 6, 'initial_channels': 12, 'initial_mid_channels': 4}


def by_definition(
    x: list[Tensor], features: list[Tensor], mix: Tensor, *, divide: str, beta: float, iterations: int
) -> list[Tensor]:
    """One image, position by position; x and features are (P, C)."""
    pixels = len(x[0])
    out = []
    for target, initial in enumerate(features):
        mixed = torch.zeros(pixels, pixels, dtype=initial.dtype)
        for source, x_s in enumerate(x):
            affinity = torch.stack([torch.stack([x_s[p].dot(x_s[q]) for q in range(pixels)]) for p in range(pixels)])
            for i in range(pixels):
                if divide == 'rows':
                    affinity[i] = affinity[i].clone() / affinity[i].sum()
            if divide == 'columns':
                affinity = affinity / torch.stack([affinity[:, q].sum() for q in range(pixels)])
            mixed += mix[target, source] * affinity
        current = initial
        for _ in range(iterations):
            current = beta * mixed @ current + (1 - beta) * initial
        out.append(current)
    return out


@pytest.mark.parametrize('iterations', [1, 2])
@pytest.mark.parametrize('divide', ['rows', 'columns'])
@pytest.mark.parametrize('over', ['channels', 'positions'])
def test_both_forms_are_the_definition(over: str, divide: str, iterations: int) -> None:
    generator = torch.Generator().manual_seed(0)
    features = [
        torch.rand(2, 10, 4, generator=generator, dtype=torch.float64).add(0.1).requires_grad_() for _ in range(3)
    ]
    logits = torch.randn(3, 3, generator=generator, dtype=torch.float64).requires_grad_()
    weights = [torch.randn(2, 10, 4, generator=generator, dtype=torch.float64) for _ in range(3)]
    results = []
    for function in (diffuse_dense, diffuse_factored):
        x = [normalise_features(f, over) for f in features]
        out = function(x, features, logits.softmax(1), divide=divide, beta=0.4, iterations=iterations)
        loss = torch.stack([(w * y).sum() for w, y in zip(weights, out)]).sum()
        results.append((out, torch.autograd.grad(loss, [*features, logits])))
    (dense, dense_gradients), (factored, factored_gradients) = results
    for b in range(2):
        expected = by_definition(
            [x[b] / x[b].norm(dim=1 if over == 'channels' else 0, keepdim=True) for x in features],
            [x[b] for x in features],
            logits.exp() / logits.exp().sum(1, keepdim=True),
            divide=divide,
            beta=0.4,
            iterations=iterations,
        )
        for one, other in zip(dense, expected, strict=True):
            torch.testing.assert_close(one[b], other)
    for one, other in zip([*dense, *dense_gradients], [*factored, *factored_gradients], strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(
    'change', [{'iterations': 1}, {'normalise_over': 'channels'}, {'divide': 'rows'}, {'beta': 0.1}], ids=str
)
def test_each_switch_changes_the_result_and_no_parameter(
    change: dict, tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]
) -> None:
    neck = PAPNet(tasks=tasks, in_channels=in_channels, **SMALL).eval()
    other = PAPNet(tasks=tasks, in_channels=in_channels, **SMALL, **change).eval()
    other.load_state_dict(neck.state_dict())
    with torch.no_grad():
        one, two = neck(pyramid).features, other(pyramid).features
    assert not torch.allclose(one['depth'], two['depth'], rtol=1e-6, atol=1e-7)


def test_features_that_cancel_stay_finite() -> None:
    x = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]])  # the affinities of each position sum to zero
    for function in (diffuse_dense, diffuse_factored):
        out = function([x], [x], torch.ones(1, 1), divide='rows', beta=0.05, iterations=2)
        assert out[0].isfinite().all()


def test_forms_agree_in_the_neck(tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]) -> None:
    dense = PAPNet(tasks=tasks, in_channels=in_channels, impl='dense', **SMALL).eval().double()
    factored = PAPNet(tasks=tasks, in_channels=in_channels, impl='factored', **SMALL).eval().double()
    factored.load_state_dict(dense.state_dict())
    maps = [x.double() for x in pyramid]
    for task in tasks:
        torch.testing.assert_close(dense(maps).features[task], factored(maps).features[task])
        assert dense(maps).features[task].shape == (2, 6, 16, 24)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'divide': 'row'}, "divide: .*got 'row'; meant 'rows'"),
        ({'normalise_over': 'channel'}, "normalise_over: .*meant 'channels'"),
        ({'impl': 'sparse'}, "impl: expected one of .*'factored'"),
        ({'iterations': 0}, 'iterations: expected 1 or more, got 0'),
        ({'beta': 2}, 'beta: expected a number from 0 to 1, got 2'),
    ],
)
def test_bad_arguments(change: dict, message: str, tasks: dict[str, Task], in_channels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=message):
        PAPNet(tasks=tasks, in_channels=in_channels, **SMALL, **change)


def test_mix_has_a_row_per_target(tasks: dict[str, Task], pyramid: list[Tensor], in_channels: tuple[int, ...]) -> None:
    """A target whose row is all its own hears no other task; the other targets still do."""
    torch.manual_seed(3)
    neck = PAPNet(tasks=tasks, in_channels=in_channels, beta=0.5, **SMALL).eval()
    own = list(tasks).index('semseg')
    with torch.no_grad():
        neck.mix[own, own] = 60.0
        before = neck(pyramid).features
        for name, value in neck.named_parameters():
            if name.startswith('initial_blocks.depth'):
                value.add_(torch.randn_like(value))
        after = neck(pyramid).features
    torch.testing.assert_close(after['semseg'], before['semseg'])
    assert not torch.allclose(after['normals'], before['normals'], rtol=1e-4)
