import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import convolve1d, map_coordinates

from mtlbox.evaluation.functional.boundary.nms import orientation, suppress


def slow_suppress(strength, radius, tolerance=1.01, fade=5):
    """The definition, pixel by pixel; orientation and interpolation by scipy."""
    height, width = strength.shape
    tent = np.array([1, 2, 3, 4, 5, 4, 3, 2, 1]) / 25
    smooth = convolve1d(convolve1d(strength, tent, axis=0, mode='reflect'), tent, axis=1, mode='reflect')
    oy, ox = np.gradient(smooth)
    oxy, oxx = np.gradient(ox)
    oyy = np.gradient(oy)[0]
    out = np.zeros_like(strength)
    for y in range(height):
        for x in range(width):
            angle = math.atan(oyy[y, x] * np.sign(-oxy[y, x]) / (oxx[y, x] + 1e-5)) % math.pi
            best = 0.0
            for d in range(-radius, radius + 1):
                if d:
                    at = [
                        [min(max(y + d * math.sin(angle), 0), height - 1.001)],
                        [min(max(x + d * math.cos(angle), 0), width - 1.001)],
                    ]
                    best = max(best, map_coordinates(strength, at, order=1)[0])
            value = strength[y, x]
            if value and value * tolerance >= best - 1e-12:
                for place, length in ((y, height), (x, width)):
                    border = min(fade, height // 2, width // 2)
                    value *= min(1, place / border) * min(1, (length - 1 - place) / border)
                out[y, x] = value
    return out


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(8, 20), st.integers(8, 20), st.sampled_from([1, 2, 4]))
def test_against_a_slow_loop(seed, height, width, radius):
    rng = np.random.default_rng(seed)
    strength = rng.random((height, width)) * (rng.random((height, width)) < 0.7)
    np.testing.assert_allclose(suppress(strength, radius), slow_suppress(strength, radius), atol=1e-9)


@pytest.mark.parametrize(('degrees', 'expected'), [(0, 0), (85, 85), (40, 40), (140, 140)])
def test_orientation_is_across_the_line(degrees, expected):
    y, x = np.mgrid[:61, :61] - 30.0
    across = x * np.cos(np.radians(degrees)) + y * np.sin(np.radians(degrees))
    angle = np.degrees(orientation(np.exp(-(across**2) / 8))[30, 30])
    assert (
        min(abs(angle - expected), 180 - abs(angle - expected)) < 6
    )  # the formula's own error, largest between the axes


def test_a_blurred_line_becomes_its_middle():
    strength = np.exp(-((np.arange(40) - 20.0) ** 2) / 8)[None].repeat(30, 0)
    kept = suppress(strength, 1)[6:-6, 6:-6]
    assert (kept.argmax(1) == 20 - 6).all()
    assert ((kept > 0).sum(1) <= 3).all()
    assert np.isclose(kept.max(), 1)


@pytest.mark.parametrize('shape', [(1, 1), (1, 9), (2, 3), (9, 1)])
def test_small_maps(shape):
    assert suppress(np.ones(shape), 1).shape == shape
    assert not suppress(np.zeros(shape), 4).any()


def test_an_exactly_even_horizontal_line_is_not_suppressed():
    strength = np.exp(-((np.arange(40) - 20.0) ** 2) / 8)[:, None].repeat(30, 1)
    np.testing.assert_allclose(suppress(strength, 1)[6:-6, 6:-6], strength[6:-6, 6:-6])
