import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import convolve, gaussian_filter

from mtlbox.tasks import Depth, Edge

TASK = Edge()


def step_image(height=12, width=20, at=10):
    image = np.zeros((height, width, 3), np.uint8)
    image[:, at:] = 255
    return image


def reference(image, sigma):
    """The definition with SciPy's filters."""
    grey = gaussian_filter(image.astype(np.float64) @ [0.299, 0.587, 0.114] / 255, sigma, mode='mirror', truncate=4.0)
    sobel = np.outer([1, 2, 1], [-1, 0, 1])
    across, down = convolve(grey, sobel, mode='mirror'), convolve(grey, sobel.T, mode='mirror')
    return np.hypot(across, down) / np.sqrt(20)


class TestDerive:
    def test_step(self):
        edge = TASK.derive(step_image())
        assert edge.shape == (12, 20) and edge.dtype == np.float32
        TASK.check(edge, 'derived')
        assert set(edge.argmax(1)) <= {9, 10}
        np.testing.assert_allclose(edge[:, :10], edge[:, :9:-1], atol=1e-5)
        assert edge[:, :4].max() < 1e-4 and edge[5, 9] > 0.3
        np.testing.assert_allclose(
            TASK.derive(step_image(20, 12, 6).transpose(1, 0, 2)).T, TASK.derive(step_image(20, 12, 6)), atol=1e-5
        )

    @pytest.mark.parametrize('sigma', [0.5, 1.0, 2.0])
    def test_definition(self, sigma):
        image = np.random.default_rng(0).integers(0, 256, (15, 18, 3), dtype=np.uint8)
        np.testing.assert_allclose(Edge(sigma=sigma).derive(image), reference(image, sigma), atol=2e-4)

    def test_flat_image_has_none(self):
        assert np.abs(TASK.derive(np.full((8, 9, 3), 77, np.uint8))).max() < 1e-6

    def test_floats_in_0_to_255_are_read_alike(self):
        image = step_image()
        np.testing.assert_allclose(TASK.derive(image.astype(np.float32)), TASK.derive(image), atol=1e-6)

    def test_other_tasks_derive_nothing(self):
        assert Depth().derive(step_image()) is None


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(3, 15), st.integers(3, 15)),
    degrees=st.floats(-180, 180),
    hole=st.tuples(st.integers(0, 8), st.integers(0, 8)),
)
def test_ignored_pixels_do_not_bleed(size, degrees, hole):
    gt = np.full((9, 9), 0.5, np.float32)
    gt[hole] = -1
    for moved in (TASK.resize(gt, size), TASK.rotate(gt, degrees), TASK.rotate(TASK.resize(gt, size), degrees)):
        assert (np.isclose(moved, 0.5, atol=1e-5) | (moved == -1)).all()


def test_hole_stays_ignored_when_enlarged():
    gt = np.full((5, 5), 0.25, np.float32)
    gt[2, 2] = -1
    enlarged = TASK.resize(gt, (15, 15))
    assert (enlarged[6:9, 6:9] == -1).all() and (enlarged[:4] == 0.25).all()


def test_strengths_are_mixed():
    resized = TASK.resize(np.float32([[0, 1]]), (1, 8))
    assert ((resized > 0.1) & (resized < 0.9)).any()


@pytest.mark.parametrize('value', [1.5, -0.5, 255])
def test_illegal_values(value):
    with pytest.raises(
        ValueError, match=f"img 4: the map of 'edge' holds values such as {value:g}, but only 0..1 and -1"
    ):
        TASK.check(np.float32([[0, 1, -1, value]]), 'img 4')


def test_minus_one_is_ignored_and_zero_is_not():
    assert TASK.valid(torch.tensor([[[[-1.0, 0.0, 1.0]]]])).tolist() == [[[False, True, True]]]


def test_draws_strength_as_grey():
    assert TASK.draw(np.float32([[-1, 0, 1]]))[0, :, 0].tolist() == [0, 0, 255]
