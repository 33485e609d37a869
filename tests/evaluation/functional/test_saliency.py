import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlbox.compat import ensure_torchvision
from mtlbox.evaluation.functional import saliency_scores, saliency_statistic
from mtlbox.evaluation.protocols import SaliencyProtocol, get_protocol

PROTOCOLS = ('astmt', 'atrc', 'invpt')


def of_protocol(name, images):
    protocol = get_protocol(name, SaliencyProtocol)
    total = sum(
        saliency_statistic(pred, target, protocol.thresholds, strict=protocol.strict, pooling=protocol.pooling)
        for pred, target in images
    )
    return saliency_scores(total, protocol.pooling, protocol.beta_squared)


def counts(pred, target, cut):
    """tp, fp, fn of the pixels that count, by a plain loop."""
    tp = fp = fn = 0
    for p, t in zip(pred.ravel().tolist(), target.ravel().tolist()):
        if t != 255:
            tp += cut(p) and t == 1
            fp += cut(p) and t == 0
            fn += (not cut(p)) and t == 1
    return tp, fp, fn


def slow_astmt(images):
    best_iou = best_f = 0.0
    images = [(pred, target) for pred, target in images if (target != 255).any()]
    for threshold in [0.2 + 0.05 * k for k in range(15)]:
        ious, precisions, recalls = [], [], []
        for pred, target in images:
            tp, fp, fn = counts(pred, target, lambda p, least=threshold: p > least + 1e-12)
            ious.append(tp / (tp + fp + fn) if tp + fp + fn else 1.0)
            precisions.append(tp / (tp + fp + 1e-12))
            recalls.append(tp / (tp + fn + 1e-12))
        precision, recall = np.mean(precisions), np.mean(recalls)
        best_iou = max(best_iou, np.mean(ious))
        best_f = max(best_f, 2 * precision * recall / (precision + recall + 1e-12))
    return {'mIoU': 100 * best_iou, 'maxF': 100 * best_f}


def slow_pooled(images, transform, thresholds):
    best = 0.0
    for threshold in thresholds:
        tp, fp, fn = np.sum(
            [counts(pred, target, lambda p, least=threshold: transform(p) >= least - 1e-9) for pred, target in images],
            axis=0,
        )
        if tp:
            precision, recall = tp / (tp + fp), tp / (tp + fn)
            best = max(best, 1.3 * precision * recall / (0.3 * precision + recall))
    return 100 * best


@st.composite
def images(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    found = []
    for _ in range(draw(st.integers(1, 3))):
        shape = draw(st.integers(1, 6)), draw(st.integers(1, 6))
        levels = draw(st.sampled_from([3, 20, 1000]))  # few levels meet the thresholds exactly
        pred = np.round(rng.random(shape) * levels) / levels
        target = rng.choice([0, 1, 255], shape, p=draw(st.sampled_from([(0.5, 0.4, 0.1), (1, 0, 0), (0, 0, 1)])))
        found.append((pred, target))
    return found


@settings(max_examples=150, deadline=None)
@given(images())
def test_against_slow_loops(images):
    scores = {name: of_protocol(name, images) for name in PROTOCOLS}
    if all((target == 255).all() for _, target in images):
        assert all(math.isnan(value) for found in scores.values() for value in found.values())
        return
    assert scores['astmt'] == pytest.approx(slow_astmt(images), abs=1e-6)
    steps = [0.05 * k for k in range(1, 20)]
    assert scores['atrc']['maxF'] == pytest.approx(slow_pooled(images, lambda p: p, steps))
    again = slow_pooled(images, lambda p: 1 / (1 + math.exp(-p)), steps)  # the sigmoid of a probability
    assert scores['invpt']['maxF'] == pytest.approx(again)


def test_against_torchmetrics():
    ensure_torchvision()
    from torchmetrics.classification import BinaryFBetaScore, BinaryJaccardIndex

    generator = torch.Generator().manual_seed(2)
    pred, target = torch.rand(40, 50, generator=generator), torch.randint(0, 2, (40, 50), generator=generator)
    pred = (pred + target) / 2
    scores = saliency_scores(saliency_statistic(pred, target, [0.6], pooling='pixel'), 'pixel', 0.3)
    assert scores['maxF'] / 100 == pytest.approx(float(BinaryFBetaScore(0.3**0.5, 0.6)(pred, target)), rel=1e-5)
    assert scores['mIoU'] / 100 == pytest.approx(float(BinaryJaccardIndex(0.6)(pred, target)), rel=1e-5)


@pytest.mark.parametrize('name', PROTOCOLS)
@pytest.mark.parametrize('value', [0.0, 0.5, 1.0])
def test_constant_predictions(name, value):
    target = np.array([[1, 0, 0, 0]])
    scores = of_protocol(name, [(np.full((1, 4), value), target)])
    everything = {'astmt': 2 * 0.25 / 1.25, 'atrc': 1.3 * 0.25 / (0.3 * 0.25 + 1)}
    expected = everything['astmt' if name == 'astmt' else 'atrc'] if value or name == 'invpt' else 0.0
    assert scores['maxF'] == pytest.approx(100 * expected)


def test_empty_truth_under_astmt():
    empty = np.zeros((2, 3))
    assert of_protocol('astmt', [(np.zeros((2, 3)), empty)]) == {'mIoU': 100.0, 'maxF': 0.0}
    assert of_protocol('astmt', [(np.ones((2, 3)), empty)]) == {'mIoU': 0.0, 'maxF': 0.0}


@pytest.mark.parametrize(
    ('pred', 'target', 'pooling', 'message'),
    [
        ([math.nan, 0.0], [0, 1], 'pixel', 'the predicted saliency has 1 of 2 values that are NaN'),
        ([2.0, 0.0], [0, 1], 'pixel', 'the predicted saliency has values from 0 to 2'),
        ([1.0, 0.0], [0, 3], 'pixel', 'the true saliency has the value 3; expected 0, 1 or 255'),
        ([1.0], [0, 1], 'pixel', r'shape \(1,\) and the ground truth \(2,\)'),
        ([1.0, 0.0], [0, 1], 'images', "pooling='images'"),
    ],
)
def test_bad_input(pred, target, pooling, message):
    with pytest.raises(ValueError, match=message):
        saliency_statistic(np.array(pred), np.array(target), [0.5], pooling=pooling)
