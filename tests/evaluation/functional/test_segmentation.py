import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mtlbox.compat import ensure_torchvision
from mtlbox.evaluation.functional import class_iou, confusion_matrix, mean_iou, pixel_accuracy, segmentation_scores

K = 4


@st.composite
def label_maps(draw):
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 6)))
    pred = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, K - 1)))
    target = draw(hnp.arrays(np.int64, shape, elements=st.sampled_from([*range(K), 255])))
    return pred, target


def slow_confusion(pred, target):
    counts = np.zeros((K, K))
    for p, t in zip(pred.ravel(), target.ravel()):
        if t != 255:
            counts[t, p] += 1
    return counts


def slow_iou(pred, target, absent):
    scores = []
    counted = target != 255
    for k in range(K):
        union = ((pred == k) | (target == k)) & counted
        both = (pred == k) & (target == k) & counted
        if union.any():
            scores.append(both.sum() / union.sum())
        elif absent == 'zero':
            scores.append(0.0)
    return 100 * np.mean(scores)


@settings(max_examples=100, deadline=None)
@given(label_maps())
def test_against_slow_loops(maps):
    pred, target = maps
    confusion = confusion_matrix(pred, target, K)
    np.testing.assert_array_equal(confusion, slow_confusion(pred, target))
    if (target != 255).any():
        for absent in ('zero', 'skip'):
            assert mean_iou(confusion, absent) == pytest.approx(slow_iou(pred, target, absent))
        assert pixel_accuracy(confusion) == pytest.approx(100 * (pred == target)[target != 255].mean())
    else:
        assert np.isnan([mean_iou(confusion, 'zero'), mean_iou(confusion, 'skip'), pixel_accuracy(confusion)]).all()


@settings(max_examples=50, deadline=None)
@given(label_maps(), st.integers(0, 5))
def test_statistics_of_parts_add_up(maps, cut):
    pred, target = maps
    parts = confusion_matrix(pred[:cut], target[:cut], K) + confusion_matrix(pred[cut:], target[cut:], K)
    np.testing.assert_array_equal(parts, confusion_matrix(pred, target, K))


def test_against_torchmetrics():
    ensure_torchvision()
    from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

    generator = torch.Generator().manual_seed(0)
    pred = torch.randint(0, 13, (2, 1, 30, 40), generator=generator)
    target = torch.randint(0, 13, (2, 1, 30, 40), generator=generator)
    target[torch.rand(target.shape, generator=generator) < 0.2] = 255
    confusion = confusion_matrix(pred, target, 13)
    iou = MulticlassJaccardIndex(13, ignore_index=255, average='none')(pred, target)
    np.testing.assert_allclose(class_iou(confusion), 100 * iou.numpy(), rtol=1e-5)
    accuracy = MulticlassAccuracy(13, ignore_index=255, average='micro')(pred, target)
    assert pixel_accuracy(confusion) == pytest.approx(100 * float(accuracy), rel=1e-5)


def test_absent_class_is_what_the_protocols_differ_in():
    confusion = np.array([[3.0, 1.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 0.0]])  # class 2 neither predicted nor present
    np.testing.assert_allclose(class_iou(confusion), [75.0, 80.0, np.nan])
    assert segmentation_scores(confusion, 'skip') == {'mIoU': pytest.approx(77.5), 'pixAcc': pytest.approx(87.5)}
    assert mean_iou(confusion, 'zero') == pytest.approx(155 / 3)
    predicted_only = np.array([[3.0, 0.0, 1.0], [0.0, 4.0, 0.0], [0.0, 0.0, 0.0]])  # class 2 predicted: 0 in both
    assert mean_iou(predicted_only, 'skip') == mean_iou(predicted_only, 'zero') == pytest.approx(175 / 3)


def test_rows_are_the_truth():
    assert confusion_matrix(np.array([1]), np.array([0]), 2).tolist() == [[0, 1], [0, 0]]


def test_ignore_index_of_mtan_files():
    assert confusion_matrix(np.array([0, 1]), np.array([-1, 1]), 2, ignore_index=-1).sum() == 1


def test_prediction_is_not_looked_at_where_ignored():
    assert confusion_matrix(np.array([255, 1]), np.array([255, 1]), 2).sum() == 1


def test_uint8_labels_of_many_classes_do_not_overflow():
    labels = np.arange(40, dtype=np.uint8)
    np.testing.assert_array_equal(confusion_matrix(labels, labels, 40), np.eye(40))


@pytest.mark.parametrize(
    ('pred', 'target', 'message'),
    [
        ([0, 2], [0, 1], r'the prediction has labels out of range: 2; expected 0\.\.1'),
        ([0, 1], [0, 13], 'the ground truth has labels out of range: 13'),
        ([0, 1], [0, -1], 'the ground truth has labels out of range: -1'),
        ([0.0, 1.0], [0, 1], 'the prediction has dtype float64: expected integer'),
        ([0, 1, 1], [0, 1], r'shape \(3,\) and the ground truth \(2,\)'),
    ],
)
def test_bad_maps(pred, target, message):
    with pytest.raises(ValueError, match=message):
        confusion_matrix(np.array(pred), np.array(target), 2)


def test_unknown_absent():
    with pytest.raises(ValueError, match=r"absent='skipped'"):
        mean_iou(np.eye(2), 'skipped')
