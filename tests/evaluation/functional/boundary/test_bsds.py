"""The five images that the BSDS500 benchmark's own code is tested with, against what that code printed."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import loadmat

from mtlbox.evaluation.functional import boundary_counts, boundary_curve, boundary_scores

SHARED = Path(os.environ.get('MTLBOX_SHARED_DATA') or Path(__file__).parents[4] / '../shared/data')
BENCH = SHARED / 'bsds_bench'
THRESHOLDS = np.linspace(1 / 6, 1 - 1 / 6, 5)

pytestmark = pytest.mark.skipif(
    not BENCH.is_dir(), reason=f'there is no BSDS sample at {BENCH}; MTLBOX_SHARED_DATA names another place'
)


@pytest.fixture(scope='module')
def counts():
    """(5, 5, 4)."""
    found = []
    for path in sorted(BENCH.glob('png/*.png'), key=lambda path: int(path.stem)):
        (annotators,) = loadmat(BENCH / f'groundTruth/{path.stem}.mat')['groundTruth']
        truth = np.stack([one['Boundaries'][0, 0] for one in annotators])
        pred = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) / 255
        found.append(boundary_counts(pred, truth, THRESHOLDS, 0.0075, nms_radius=None, thin_truth=False))
    assert len(found) == 5
    return np.stack(found)


def test_pooled_precision_recall_and_f(counts):
    threshold, recall, precision, f = np.loadtxt(BENCH / 'expected/eval_bdry_thr.txt').T
    np.testing.assert_allclose(threshold, THRESHOLDS, atol=1e-6)
    curve = boundary_curve(counts.sum(0))
    np.testing.assert_allclose(curve.recall, recall, atol=1e-3)
    np.testing.assert_allclose(curve.precision, precision, atol=1e-3)
    np.testing.assert_allclose(curve.f, f, atol=1e-3)


def test_scores(counts):
    _, recall, precision, ods, _, _, ois, ap = np.loadtxt(BENCH / 'expected/eval_bdry.txt')
    scores = boundary_scores(counts, interpolate=True)
    expected = {'odsF': ods, 'odsP': precision, 'odsR': recall, 'oisF': ois, 'AP': ap}
    assert scores == {name: pytest.approx(100 * value, abs=0.1) for name, value in expected.items()}


def test_best_f_of_each_image(counts):
    *_, expected = np.loadtxt(BENCH / 'expected/eval_bdry_img.txt').T
    ours = [boundary_scores(one[None], interpolate=True)['odsF'] for one in counts]
    np.testing.assert_allclose(ours, 100 * expected, atol=0.2)
