import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mtlbox.compat import ensure_torchvision
from mtlbox.evaluation.functional import depth_errors, depth_scores, depth_statistic

RANGES = [(0.0, math.inf), (0.0, 80.0), (0.0, 6.5535)]


def slow_errors(images, valid_range):
    """Pixel-pooled and image-mean scores by plain loops over ``[(pred, target), ...]``."""
    low, high = valid_range
    pooled, per_image = [], []
    for pred, target in images:
        valid = [(p, t) for p, t in zip(pred.ravel().tolist(), target.ravel().tolist()) if low < t < high]
        pooled += valid
        if valid:
            per_image.append(of_pixels(valid))
    return of_pixels(pooled), [sum(column) / len(per_image) for column in zip(*per_image)]


def of_pixels(pairs):
    squares = sum((p - t) ** 2 for p, t in pairs)
    return [
        math.sqrt(squares / len(pairs)),
        sum(abs(p - t) for p, t in pairs) / len(pairs),
        sum(abs(p - t) / t for p, t in pairs) / len(pairs),
    ]


@st.composite
def depth_images(draw):
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    depth = st.floats(0.1, 120.0)
    maps = st.tuples(
        hnp.arrays(np.float64, shape, elements=depth),
        hnp.arrays(np.float64, shape, elements=st.one_of(st.just(0.0), depth)),
    )
    return draw(st.lists(maps, min_size=1, max_size=3))


@settings(max_examples=100, deadline=None)
@given(depth_images(), st.sampled_from(RANGES))
def test_against_slow_loops(images, valid_range):
    low, high = valid_range
    sums = {
        pooling: sum(depth_statistic(pred, target, valid_range, pooling) for pred, target in images)
        for pooling in ('pixel', 'image')
    }
    pixel, image = (list(depth_scores(sums[pooling], pooling).values()) for pooling in ('pixel', 'image'))
    if any(((target > low) & (target < high)).any() for _, target in images):
        expected = slow_errors(images, valid_range)
        assert pixel == pytest.approx(expected[0])
        assert image == pytest.approx(expected[1])
    else:
        assert np.isnan(pixel + image).all()


def test_against_torchmetrics():
    ensure_torchvision()
    from torchmetrics import MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError

    generator = torch.Generator().manual_seed(1)
    pred = 1 + 9 * torch.rand(2, 1, 20, 30, generator=generator)
    target = 1 + 9 * torch.rand(2, 1, 20, 30, generator=generator)
    target[torch.rand(target.shape, generator=generator) < 0.3] = 0
    valid = target > 0
    scores = depth_errors(pred, target)
    assert scores['rmse'] == pytest.approx(float(MeanSquaredError(squared=False)(pred[valid], target[valid])), rel=1e-5)
    assert scores['absErr'] == pytest.approx(float(MeanAbsoluteError()(pred[valid], target[valid])), rel=1e-5)
    relative = float(MeanAbsolutePercentageError()(pred[valid], target[valid]))
    assert scores['relErr'] == pytest.approx(relative, rel=1e-5)


def test_bounds_are_exclusive():
    target = np.array([0.0, 1.0, 80.0, 79.0])
    assert depth_statistic(target + 1, target, (0.0, 80.0))[3] == 2


def test_bfloat16_is_accepted():
    maps = torch.tensor([1.0, 2.0], dtype=torch.bfloat16)
    assert depth_errors(maps + 1, maps) == {'rmse': 1.0, 'absErr': 1.0, 'relErr': 0.75}


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_non_finite(bad):
    good = np.ones(4)
    with pytest.raises(ValueError, match=r'the predicted depth has 1 of 4 values that are NaN or infinite'):
        depth_errors(np.array([1, 1, bad, 1]), good)
    with pytest.raises(ValueError, match=r'the true depth has 1 of 4'):
        depth_errors(good, np.array([1, 1, bad, 1]))


def test_unknown_pooling_and_shape():
    with pytest.raises(ValueError, match=r"pooling='pixels'"):
        depth_statistic(np.ones(2), np.ones(2), pooling='pixels')
    with pytest.raises(ValueError, match=r'shape \(2,\) and the ground truth \(3,\)'):
        depth_errors(np.ones(2), np.ones(3))
