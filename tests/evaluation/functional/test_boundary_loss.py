import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from mtlbox.evaluation.functional import balanced_loss


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([None, 0.0, 0.8, 0.95, 1.0]), st.booleans())
def test_against_torch(seed, pos_weight, second_sigmoid):
    """The cross-entropies of torch, with the weights as a map; the second sigmoid is that of the one for logits."""
    generator = torch.Generator().manual_seed(seed)
    pred = torch.rand(5, 7, generator=generator, dtype=torch.float64)
    target = torch.randint(0, 2, (5, 7), generator=generator).double()
    target[torch.rand(5, 7, generator=generator) < 0.3] = 255
    counted = target != 255
    p, t = pred[counted], target[counted]
    weight = 1 - t.mean() if pos_weight is None else pos_weight
    loss = F.binary_cross_entropy_with_logits if second_sigmoid else F.binary_cross_entropy
    expected = loss(p, t, weight=t * weight + (1 - t) * (1 - weight))
    assert balanced_loss(pred, target, pos_weight, second_sigmoid) == pytest.approx(float(expected))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_fixed_weights_never_reach_the_published_values(seed, share):
    """What the description of 'ctal-edge-loss/0.95' says: 0.0347 is a lower bound."""
    target = (np.random.default_rng(seed).random((9, 9)) < share).astype(float)
    assert balanced_loss(target, target, 0.95) >= 0.0346
    assert balanced_loss(np.zeros((9, 9)), np.zeros((9, 9)), 0.95) == pytest.approx(0.05 * math.log(2))


def test_own_balance_does():
    target = np.zeros((100, 100))
    target[50, :] = target[:25, 50] = 1  # 1.25 %
    assert 0.01 < balanced_loss(target, target) < 0.0241


def test_nothing_counts_and_one_class_only():
    assert math.isnan(balanced_loss(np.zeros((2, 2)), np.full((2, 2), 255)))
    assert balanced_loss(np.full((2, 2), 0.3), np.zeros((2, 2))) == 0
    assert balanced_loss(np.zeros((2, 2)), np.ones((2, 2)), 0.5, second_sigmoid=False) < math.inf


@pytest.mark.parametrize(
    ('pred', 'target', 'weight', 'message'),
    [
        ([math.nan], [0], None, 'the predicted boundary has 1 of 1 values that are NaN'),
        ([3.0], [0], None, 'expected probabilities'),
        ([0.5], [2], None, 'the true boundary has the value 2'),
        ([0.5, 0.5], [1], None, 'expected equal'),
        ([0.5], [1], 1.5, 'pos_weight=1.5: expected a weight from 0 to 1'),
    ],
)
def test_bad_input(pred, target, weight, message):
    with pytest.raises(ValueError, match=message):
        balanced_loss(np.array(pred), np.array(target), weight)
