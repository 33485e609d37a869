import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtlbox.tasks import Depth, Normals
from mtlbox.tasks.normals import unit as unit_vectors

TASK = Normals()
FOCAL, SIZE = 90.0, 81
CENTRE = (SIZE - 1) / 2


def unit(vector):
    return np.asarray(vector) / np.linalg.norm(vector)


def plane_depth(normal, distance=3.0):
    """Depth of the plane ``normal . X = -distance`` seen by a pinhole camera, ``(SIZE, SIZE)``."""
    v, u = np.mgrid[:SIZE, :SIZE] - CENTRE
    return (-distance / (normal[0] * u / FOCAL + normal[1] * v / FOCAL + normal[2])).astype(np.float32)


def normal_from_depth(depth):
    """The normal of the plane that ``depth`` shows: 1/z is affine in the pixel, with the normal as its gradient."""
    v, u = (np.argwhere(depth > 0) - CENTRE).T
    rows = np.stack([u / FOCAL, v / FOCAL, np.ones_like(u)], 1)
    return -unit(np.linalg.lstsq(rows, 1 / depth[depth > 0].astype(np.float64), rcond=None)[0])


def hemisphere():
    """Normals of a sphere on the optical axis under parallel projection: turning the camera leaves them as they are."""
    v, u = (np.mgrid[:SIZE, :SIZE] - CENTRE) / CENTRE
    inside = u**2 + v**2 < 0.8
    z = -np.sqrt(np.where(inside, 1 - u**2 - v**2, 0))
    return (np.stack([u, v, z], -1) * inside[..., None]).astype(np.float32)


@settings(max_examples=15, deadline=None)
@given(
    degrees=st.floats(-180, 180),
    normal=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)).map(lambda xy: unit((*xy, -1.0))),
)
def test_rotation_agrees_with_the_rotated_depth(degrees, normal):
    normals = np.broadcast_to(normal, (SIZE, SIZE, 3)).astype(np.float32)
    assert np.abs(normal_from_depth(plane_depth(normal)) - normal).max() < 1e-5
    turned = TASK.rotate(normals, degrees)
    seen = normal_from_depth(Depth().rotate(plane_depth(normal), degrees))
    assert np.abs(turned[SIZE // 2, SIZE // 2] - seen).max() < 0.01
    known = turned.any(-1)
    np.testing.assert_allclose(
        turned[known], np.broadcast_to(turned[SIZE // 2, SIZE // 2], (known.sum(), 3)), atol=1e-5
    )


def test_rotation_moves_pixels_and_vectors_together():
    sphere = hemisphere()
    for degrees in (-120.0, 17.0, 90.0):
        turned = TASK.rotate(sphere, degrees)
        both = sphere.any(-1) & turned.any(-1)
        assert both.sum() > 0.95 * sphere.any(-1).sum()
        cosine = (turned * sphere).sum(-1)[both]
        assert np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).max() < 2.5


def test_flip_agrees_with_the_flipped_depth():
    normal = unit([0.3, -0.2, -1.0])
    normals = np.broadcast_to(normal, (SIZE, SIZE, 3)).astype(np.float32)
    flipped = TASK.hflip(normals)
    np.testing.assert_allclose(flipped[3, 4], normal_from_depth(plane_depth(normal)[:, ::-1]), atol=1e-4)
    np.testing.assert_allclose(flipped[3, 4], normal * [-1, 1, 1], atol=1e-6)


def test_flip_moves_pixels():
    np.testing.assert_allclose(TASK.hflip(hemisphere()), hemisphere(), atol=1e-6)


def test_a_wall_keeps_facing_the_camera():
    wall = np.broadcast_to(np.float32([0, 0, -1]), (9, 9, 3)).copy()
    for moved in (
        TASK.hflip(wall),
        TASK.resize(wall, (5, 7)),
        TASK.resize(wall, (12, 12), 1.3),
        TASK.rotate(wall, 90.0),
    ):
        np.testing.assert_allclose(moved, np.broadcast_to([0, 0, -1], moved.shape), atol=1e-6)


def test_unit_length_after_interpolation():
    gt = np.zeros((2, 2, 3), np.float32)
    gt[:, 0], gt[0, 1], gt[1, 1] = [1, 0, 0], [0, 1, 0], [0, 0, 0]
    for moved in (TASK.resize(gt, (16, 16)), TASK.rotate(gt.repeat(8, 0).repeat(8, 1), 25.0)):
        length = np.linalg.norm(moved, axis=-1)
        assert ((np.abs(length - 1) < 1e-5) | (length == 0)).all()
        assert (length == 0).any() and (length > 0).any()
    middle = TASK.resize(gt, (2, 16))[0]
    assert ((middle[:, 0] > 0.1) & (middle[:, 1] > 0.1)).any(), 'directions are mixed, not picked'


def test_decode_gives_unit_vectors():
    logits = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 7
    decoded = TASK.decode(logits)
    torch.testing.assert_close(decoded.norm(dim=1), torch.ones(2, 4, 5))
    torch.testing.assert_close(decoded * logits.norm(dim=1, keepdim=True), logits)
    assert TASK.decode(torch.zeros(1, 3, 1, 1)).isfinite().all()


def test_only_the_zero_vector_is_unknown():
    gt = np.float32([[[0, 0, 0], [0, 0, -1], [1, 0, 0], [-0.0, 0, 0]]])
    assert TASK.valid(TASK.pack(gt)[None])[0, 0].tolist() == [False, True, True, False]


def test_pack_puts_channels_first():
    gt = np.arange(24, dtype=np.float32).reshape(2, 4, 3) / 24
    packed = TASK.pack(gt)
    assert packed.shape == (3, 2, 4)
    assert packed[1, 0, 2] == gt[0, 2, 1]


def test_pictures_are_refused():
    with pytest.raises(ValueError, match='components up to 128, but normals are unit vectors'):
        TASK.check(np.full((2, 2, 3), 128, np.float32), 'here')


def test_constant_is_the_mean_direction():
    gt = np.float32([[[0, 0, -1], [0, -1, 0], [0, 0, 0]]])
    np.testing.assert_allclose(TASK.constant([gt]), unit([0, -1, -1]), atol=1e-6)


def test_draws_components_as_colours():
    assert TASK.draw(np.float32([[[1, -1, 0], [0, 0, 0]]]))[0].tolist() == [[255, 0, 128], [0, 0, 0]]


def test_to_uint16_spans_the_range():
    np.testing.assert_array_equal(TASK.to_uint16(np.float32([[[-1, 0, 1]]])), [[[0, 32768, 65535]]])


@pytest.mark.parametrize('shortest', [1e-6, 0.5])
def test_unit_length(shortest):
    vectors = np.random.default_rng(0).normal(0, 0.5, (7, 9, 3)).astype(np.float32)
    vectors[0, 0], vectors[1, 1] = 0, (0.5, 0, 0)
    before, length = vectors.copy(), np.linalg.norm(vectors, axis=-1, keepdims=True)
    expected = np.where(length >= shortest, vectors / np.maximum(length, 1e-9), 0)
    np.testing.assert_allclose(unit_vectors(vectors, shortest), expected, atol=1e-6)
    np.testing.assert_allclose(
        unit_vectors(vectors.astype(np.float64)[:, ::-1], shortest), expected[:, ::-1], atol=1e-6
    )
    np.testing.assert_array_equal(vectors, before)
