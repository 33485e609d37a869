import math
import statistics

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mtlbox.compat import ensure_torchvision
from mtlbox.evaluation.functional import depth_errors, depth_scores, depth_statistic
from mtlbox.evaluation.functional.depth import SCORES

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
        math.sqrt(sum((math.log(p) - math.log(t)) ** 2 for p, t in pairs) / len(pairs)),
        sum(abs(math.log10(p / t)) for p, t in pairs) / len(pairs),
        100 * statistics.pstdev(math.log(p / t) for p, t in pairs),
        *(100 * sum(max(p / t, t / p) < 1.25**k for p, t in pairs) / len(pairs) for k in (1, 2, 3)),
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
        assert image == pytest.approx(expected[1])
        silog = SCORES.index('silog')  # from sums the root of a difference, of which only the square is exact near 0
        assert pixel[silog] ** 2 == pytest.approx(expected[0][silog] ** 2, abs=1e-8)
        assert pixel[:silog] + pixel[silog + 1 :] == pytest.approx(expected[0][:silog] + expected[0][silog + 1 :])
    else:
        assert np.isnan(pixel + image).all()


def test_against_torchmetrics():
    ensure_torchvision()
    from torchmetrics import MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogError

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
    logs = float(MeanSquaredLogError()(pred[valid] - 1, target[valid] - 1))  # it adds 1
    assert scores['rmse_log'] == pytest.approx(math.sqrt(logs), rel=1e-4)


def test_bounds_are_exclusive():
    target = np.array([0.0, 1.0, 80.0, 79.0])
    assert depth_statistic(target + 1, target, (0.0, 80.0))[-1] == 2


def test_bfloat16_is_accepted():
    maps = torch.tensor([1.0, 2.0], dtype=torch.bfloat16)
    scores = depth_errors(maps + 1, maps)
    assert (scores['rmse'], scores['absErr'], scores['relErr']) == (1.0, 1.0, 0.75)


def test_a_common_factor_is_an_error_in_logs_but_not_in_silog():
    target = np.linspace(0.5, 9, 50)
    scores = depth_errors(1.3 * target, target)
    assert scores['rmse_log'] == pytest.approx(math.log(1.3))
    assert scores['log10'] == pytest.approx(math.log10(1.3))
    assert scores['silog'] == pytest.approx(0, abs=1e-5)
    assert (scores['delta1'], scores['delta2'], scores['delta3']) == (0, 100, 100)


@pytest.mark.parametrize('value', [0.0, -3.0])
def test_predictions_that_have_no_logarithm_count_as_a_millimetre(value):
    target = np.array([1.0, 2.0])
    scores, tiny = depth_errors(np.array([value, 2.0]), target), depth_errors(np.array([1e-3, 2.0]), target)
    for name in ('rmse_log', 'log10', 'silog', 'delta1', 'delta2', 'delta3'):
        assert scores[name] == tiny[name]
    assert scores['rmse_log'] == pytest.approx(math.log(1000) / math.sqrt(2))
    assert scores['rmse'] == pytest.approx(abs(value - 1) / math.sqrt(2))


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
