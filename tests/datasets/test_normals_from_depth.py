"""Normals from depth against the formula written out in float64, a window at a time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from mtlbox.datasets.normals_from_depth import Pinhole, normals_from_depth
from mtlbox.tasks.base import Array

SIZE = (48, 64)


def plain(depth: Array, focal: tuple[float, float], centre: tuple[float, float], window: int, jump: float) -> Array:
    """Fit a plane to the inverse depths of each window by least squares; 0 where there is no normal."""
    out, half = np.zeros((*depth.shape, 3)), window // 2
    rows, columns = np.mgrid[-half : half + 1, -half : half + 1].reshape(2, -1)
    basis = np.linalg.pinv(np.stack([columns, rows, np.ones_like(rows)], axis=1).astype(np.float64))
    patches = sliding_window_view(depth.astype(np.float64), (window, window))
    for row, column in np.ndindex(patches.shape[:2]):
        patch = patches[row, column].ravel()
        if patch.min() <= 0 or patch.max() > (1 + jump) * patch.min():
            continue
        by_u, by_v, level = basis @ (1 / patch)
        u, v = column + half - centre[0], row + half - centre[1]
        normal = -np.array([focal[0] * by_u, focal[1] * by_v, level - by_u * u - by_v * v])
        out[row + half, column + half] = normal / np.linalg.norm(normal)
    return out


def street(rng: np.random.Generator, focal: float) -> Array:
    """Return metres to a road, to fronts that meet it at a jump, and to a rough wall, with holes."""
    v, u = np.mgrid[: SIZE[0], : SIZE[1]] - np.array(SIZE).reshape(2, 1, 1) / 2
    road = 1.5 * focal / np.maximum(v, 1) / 50
    fronts = 12 / (1 + 0.4 * u / SIZE[1])
    depth = np.minimum(road, fronts)
    depth[:, :20] = 3 + 0.02 * rng.random((SIZE[0], 20))
    depth[rng.random(SIZE) < 0.004] = 0
    return depth.astype(np.float32)


@pytest.mark.parametrize('window', [3, 7])
@pytest.mark.parametrize('focal', [60.0, 725.0, 2262.0])
def test_within_a_fiftieth_of_a_degree_of_float64(window: int, focal: float) -> None:
    depth = street(np.random.default_rng(window), focal)
    geometry = ((focal, 0.9 * focal), (30.5, 22.0))
    made = normals_from_depth(depth, *geometry, window=window)
    assert made.dtype == np.float32 and made.flags.c_contiguous
    exact = plain(depth, *geometry, window, 0.1)
    known = exact.any(-1)
    np.testing.assert_array_equal(made.any(-1), known)
    assert 0.3 < known.mean() < 0.95
    np.testing.assert_allclose(np.linalg.norm(made[known], axis=-1), 1, atol=1e-6)
    chord = np.linalg.norm(made - exact, axis=-1)[known]
    assert np.degrees(2 * np.arcsin(chord / 2)).max() < 0.02


@pytest.mark.parametrize('unit', [1e-3, 1, 1e3])
def test_the_unit_of_depth_does_not_matter(unit: float) -> None:
    depth = street(np.random.default_rng(0), 60)
    geometry = ((60.0, 60.0), (31.5, 23.5))
    np.testing.assert_allclose(
        normals_from_depth(depth * np.float32(unit), *geometry), normals_from_depth(depth, *geometry), atol=2e-5
    )


@pytest.mark.parametrize('value', [0, -1, np.inf])
def test_nothing_is_known_of_unknown_and_infinite_depths(value: float) -> None:
    depth = np.full((9, 9), 2, np.float32)
    depth[4, 4] = value
    made = normals_from_depth(depth, (10, 10), (4, 4), window=3)
    np.testing.assert_array_equal(np.argwhere(made.any(-1)).min(0), (1, 1))  # a window at the frame is none
    assert not made[3:6, 3:6].any() and np.isfinite(made).all()
    assert not normals_from_depth(np.full((9, 9), value, np.float32), (10, 10), (4, 4), window=3).any()


@pytest.mark.parametrize('given', [np.float64, np.uint16, np.float32])
def test_any_type_and_any_strides(given: type) -> None:
    depth = np.tile(np.arange(20, 30), (12, 1)).astype(given)
    exact = plain(depth, (9, 9), (4.5, 5.5), 3, 0.2)
    made = normals_from_depth(np.asfortranarray(depth), (9, 9), (4.5, 5.5), window=3, jump=0.2)
    np.testing.assert_allclose(made, exact, atol=1e-5)


def test_a_reduced_picture_is_of_the_same_camera() -> None:
    camera = Pinhole((60.0, 60.0), (31.5, 23.5), SIZE)
    v, u = (np.mgrid[: SIZE[0], : SIZE[1]] - np.array([23.5, 31.5]).reshape(2, 1, 1)) / 60
    normal = np.array([0.3, -0.5, -0.8]) / np.linalg.norm([0.3, -0.5, -0.8])
    depth = -3 / (normal[0] * u + normal[1] * v + normal[2])
    for made in (camera.normals(depth, window=3), camera.normals(depth.reshape(24, 2, 32, 2).mean((1, 3)), window=3)):
        np.testing.assert_allclose(made[5:-5, 5:-5], np.broadcast_to(normal, made[5:-5, 5:-5].shape), atol=2e-3)


def test_bad_window() -> None:
    with pytest.raises(ValueError, match='window must be odd and at least 3, but is 4'):
        normals_from_depth(np.ones((5, 5)), (1, 1), (2, 2), window=4)
