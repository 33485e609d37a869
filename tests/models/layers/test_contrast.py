"""The contrasts against slow references, and the state of the banks."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mtlbox.models.layers.contrast import BankContrast, BatchContrast

TASKS = ('semseg', 'depth', 'normals')
IMAGES, NEGATIVES = 10, 6


def bank(**options: float) -> BankContrast:
    torch.manual_seed(0)
    return BankContrast(
        tasks=TASKS, in_channels=5, channels=4, num_samples=IMAGES, num_negatives=NEGATIVES, temperature=0.2, **options
    )


def maps(seed: int = 1, batch: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {task: torch.randn(batch, 5, 4, 6, generator=generator) for task in TASKS}


def embed(contrast: BankContrast | BatchContrast, features: dict[str, Tensor]) -> dict[str, Tensor]:
    """Unit vectors by the written-out network: mean over pixels, linear, ReLU, linear."""
    out = {}
    for task, x in features.items():
        first, _, second = contrast.embeddings[task]
        hidden = (x.mean((2, 3)) @ first.weight.T + first.bias).clamp(min=0)
        y = hidden @ second.weight.T + second.bias
        out[task] = y / y.pow(2).sum(1, keepdim=True).sqrt()
    return out


def test_batch_contrast_is_a_softmax_over_the_batch_for_every_ordered_pair() -> None:
    torch.manual_seed(0)
    contrast = BatchContrast(tasks=TASKS, in_channels=5, channels=4, temperature=0.2)
    features = maps()
    points = embed(contrast, features)
    expected = 0.0
    for one in TASKS:
        for other in TASKS:
            if one == other:
                continue
            for b in range(3):
                scores = [math.exp((points[one][b] @ points[other][c]).item() / 0.2) for c in range(3)]
                expected += -math.log(scores[b] / sum(scores)) / 3
    assert contrast(features, [0, 1, 2]).item() == pytest.approx(expected, rel=1e-5)


def test_a_batch_of_one_has_nothing_to_tell_apart() -> None:
    contrast = BatchContrast(tasks=TASKS, in_channels=5)
    assert contrast(maps(batch=1), [0]).item() == 0


def draws(contrast: BankContrast, batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(int(contrast.seed + contrast.draws))
    return torch.randint(IMAGES, (batch, NEGATIVES), generator=generator)


def test_bank_contrast_is_binary_cross_entropy_of_image_against_noise() -> None:
    """Two steps: the first estimates Z, which the second keeps; the loss of each from single numbers."""
    contrast, partition = bank(), {}
    for step in range(2):
        features, indices = maps(seed=step), [7, 2, 9]
        points, negatives, before = embed(contrast, features), draws(contrast, 3), contrast.bank.clone()
        expected = 0.0
        for i, one in enumerate(TASKS):
            for j, other in enumerate(TASKS):
                if one == other:
                    continue
                scores = [
                    [math.exp((points[one][b] @ before[j, image]).item() / 0.2) for image in (own, *negatives[b])]
                    for b, own in enumerate(indices)
                ]
                if step == 0:
                    everything = [score for row in scores for score in row]
                    partition[i, j] = IMAGES * sum(everything) / len(everything)
                noise = NEGATIVES / IMAGES
                for row in scores:
                    own, *others = (score / partition[i, j] for score in row)
                    expected -= math.log(own / (own + noise)) / 3
                    expected -= sum(math.log(noise / (p + noise)) for p in others) / 3
        assert contrast(features, indices).item() == pytest.approx(expected, rel=1e-4), step
        assert contrast.draws.item() == step + 1
        for i, task in enumerate(TASKS):
            for image in range(IMAGES):
                entry = before[i, image]
                if image in indices:
                    entry = 0.5 * entry + 0.5 * points[task][indices.index(image)]
                    entry = entry / entry.norm()
                torch.testing.assert_close(contrast.bank[i, image], entry)


def test_an_image_that_is_there_twice_is_remembered_by_its_mean() -> None:
    contrast = bank(momentum=0.0)
    features = maps()
    points = embed(contrast, features)
    contrast(features, [4, 1, 4])
    for i, task in enumerate(TASKS):
        mean = points[task][0] + points[task][2]
        torch.testing.assert_close(contrast.bank[i, 4], mean / mean.norm())


def test_banks_survive_a_checkpoint_and_go_on_alike() -> None:
    first, second = bank(), bank()
    first(maps(), [0, 1, 2])
    torch.manual_seed(5)
    second.bank.normal_()
    second.load_state_dict(first.state_dict())
    torch.manual_seed(6)  # the draws do not hang on the global stream
    for step in range(2, 4):
        losses = [contrast(maps(seed=step), [3, 4, 5]) for contrast in (first, second)]
        assert losses[0].equal(losses[1])
    for name, value in first.state_dict().items():
        assert second.state_dict()[name].equal(value), name
    assert {'bank', 'partition', 'draws', 'seed'} <= set(first.state_dict())


def test_negatives_differ_from_step_to_step_and_are_uniform() -> None:
    contrast = bank()
    rows = [contrast._draw(torch.zeros(50, dtype=torch.long)) for _ in range(20)]
    assert not rows[0].equal(rows[1])
    counts = torch.stack(rows).flatten().bincount(minlength=IMAGES)
    assert counts.min() > 500 and counts.max() < 700  # 600 each expected


@pytest.mark.parametrize('kind', ['bank', 'batch'])
def test_learning_brings_the_views_of_an_image_together(kind: str) -> None:
    torch.manual_seed(0)
    options = {'tasks': TASKS, 'in_channels': 5, 'channels': 32}
    contrast = (
        BankContrast(**options, num_samples=IMAGES, num_negatives=NEGATIVES)
        if kind == 'bank'
        else BatchContrast(**options)
    )
    features = {task: 5 * x for task, x in maps(batch=8).items()}

    def told_apart() -> float:
        points = embed(contrast, features)
        cosines = points['semseg'] @ points['depth'].T
        return (cosines.argmax(1) == torch.arange(8)).float().mean().item()

    assert told_apart() < 0.5
    optimiser = torch.optim.Adam(contrast.parameters(), lr=0.01)
    for _ in range(60):
        optimiser.zero_grad()
        contrast(features, list(range(8))).backward()
        optimiser.step()
    assert told_apart() >= 0.75


def test_half_precision_does_not_reach_the_loss() -> None:
    with torch.autocast('cpu', torch.bfloat16):
        half = bank()(maps(), [0, 1, 2])
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(bank()(maps(), [0, 1, 2]).item(), rel=1e-6)


def test_wrong_numbers_are_named() -> None:
    with pytest.raises(ValueError, match=r'images \[0, 10, 2\] are not all among num_samples=10: set the num_samples'):
        bank()(maps(), [0, 10, 2])
    with pytest.raises(ValueError, match=r"at least two tasks, but got \['depth'\]"):
        BatchContrast(tasks=('depth',), in_channels=5)
    with pytest.raises(ValueError, match='num_negatives: expected 1 or more, got 0'):
        BankContrast(tasks=TASKS, in_channels=5, num_samples=10, num_negatives=0)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'temperature': 0.0}, 'temperature: expected more than 0, got 0.0'),
        ({'temperature': -0.1}, 'temperature: expected more than 0, got -0.1'),
        ({'temperature': math.nan}, 'temperature: expected more than 0, got nan'),
        ({'momentum': 2.0}, 'momentum: expected 0 to less than 1, got 2.0'),
        ({'momentum': -0.5}, 'momentum: expected 0 to less than 1, got -0.5'),
        ({'channels': 0}, 'channels: expected 1 or more, got 0'),
        ({'num_samples': 0}, 'num_samples: expected 1 or more, got 0'),
    ],
    ids=str,
)
def test_settings_without_a_meaning_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BankContrast(**{'tasks': TASKS, 'in_channels': 5, 'num_samples': 10, 'num_negatives': 4, **options})
    if 'temperature' in options or 'channels' in options:
        with pytest.raises(ValueError, match=message):
            BatchContrast(tasks=TASKS, in_channels=5, **options)
