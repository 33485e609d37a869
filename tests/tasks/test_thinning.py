import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label
from skimage.morphology import thin as reference

from mtlbox.tasks.thinning import thin


@st.composite
def masks(draw):
    """Noise, blobs and thick lines."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    mask = rng.random((draw(st.integers(1, 40)), draw(st.integers(1, 40)))) < draw(st.floats(0, 1))
    return cv2.dilate(mask.astype(np.uint8), np.ones((draw(st.integers(1, 5)),) * 2, np.uint8)).astype(bool)


@settings(max_examples=150, deadline=None)
@given(masks())
def test_equals_scikit_image(mask):
    np.testing.assert_array_equal(thin(mask), reference(mask))


@settings(max_examples=50, deadline=None)
@given(masks())
def test_keeps_the_connected_parts_and_stays_thin(mask):
    thinned = thin(mask)
    assert not (thinned & ~mask).any()
    assert label(thinned, connectivity=2).max() == label(mask, connectivity=2).max()
    np.testing.assert_array_equal(thin(thinned), thinned)


@pytest.mark.parametrize('value', [False, True])
def test_constant_maps(value):
    mask = np.full((30, 45), value)
    np.testing.assert_array_equal(thin(mask), reference(mask))


def test_leaves_its_input_alone():
    mask = np.ones((5, 5), dtype=bool)
    thin(mask)
    assert mask.all()
