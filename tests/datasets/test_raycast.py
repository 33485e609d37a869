"""The ray-caster against geometry: surfaces, normals, visibility, and culling against brute force."""

import math

import numpy as np
import pytest

from mtlbox.datasets.raycast import (
    BOX,
    ELLIPSOID,
    FACES,
    NEAR,
    SHELL,
    Camera,
    Shapes,
    cast,
    normals,
    screen_rectangles,
)
from mtlbox.datasets.room_scenes import sample_scene

SIZE = (48, 64)


def random_rotation(rng):
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


def clutter(seed, count=40):
    """A room full of turned boxes and ellipsoids on all sides of the camera, behind it and across its plane too."""
    rng = np.random.default_rng(seed)
    kind = np.concatenate([[SHELL], rng.choice([BOX, ELLIPSOID], count)])
    centre = np.concatenate([[[0, 0, 0]], rng.uniform(-3, 3, (count, 3))])
    half = np.concatenate([[[4.0, 4.5, 5.0]], rng.uniform(0.02, 0.9, (count, 3))])
    axes = np.stack([np.eye(3)] + [random_rotation(rng) for _ in range(count)])
    camera = Camera.looking(rng.uniform(-0.5, 0.5, 3), *rng.uniform(-3, 3, 2), rng.uniform(-0.5, 0.5), math.radians(80))
    keep = np.ones(count + 1, dtype=bool)
    keep[1:] = extent(kind[1:], local(centre[1:], axes[1:], camera.position[None]), half[1:])[0] > 1.05
    return Shapes(kind[keep], centre[keep], half[keep], axes[keep]), camera


def local(centre, axes, points):
    """Points (P, 3) in the axes of every shape: (P, N, 3)."""
    return np.einsum('nkd,pnd->pnk', axes, points[:, None] - centre)


def extent(kind, points, half):
    """(P, N) below 1 inside a shape, 1 on its surface, above 1 outside."""
    scaled = points / half
    return np.where(kind == ELLIPSOID, np.linalg.norm(scaled, axis=-1), np.abs(scaled).max(axis=-1))


def points_of(camera, depth):
    """World points (H, W, 3) that a depth map claims."""
    xs, ys = camera.rays(depth.shape)
    rays = np.stack([*np.meshgrid(xs, ys), np.ones(depth.shape)], axis=-1)
    return camera.position + (rays * depth[..., None]) @ camera.rotation


def one(kind, centre, half=(0.5, 0.5, 0.5), axes=None):
    axes = np.eye(3) if axes is None else axes
    return Shapes(np.array([kind]), np.array([centre], dtype=float), np.array([half], dtype=float), axes[None])


AHEAD = Camera.looking(np.zeros(3), 0.0, 0.0, 0.0, math.radians(60))  # looks along world x


@pytest.mark.parametrize('seed', range(12))
def test_culling_changes_nothing(seed):
    shapes, camera = clutter(seed)
    culled, brute = cast(shapes, camera, SIZE), cast(shapes, camera, SIZE, cull=False)
    assert np.array_equal(culled.depth, brute.depth)
    assert np.array_equal(culled.surface, brute.surface)
    assert len(np.unique(brute.surface // FACES)) >= 3
    areas = screen_rectangles(shapes, camera, SIZE)
    share = ((areas[:, 1] - areas[:, 0]).clip(0) * (areas[:, 3] - areas[:, 2]).clip(0)).mean() / (SIZE[0] * SIZE[1])
    assert share < 0.5


@pytest.mark.parametrize(('split', 'index'), [('train', 0), ('train', 7), ('val', 3), ('test', 11)])
def test_culling_changes_nothing_in_rooms(split, index):
    scene = sample_scene(split, index)
    culled, brute = cast(scene.shapes, scene.camera, SIZE), cast(scene.shapes, scene.camera, SIZE, cull=False)
    assert np.array_equal(culled.depth, brute.depth)
    assert np.array_equal(culled.surface, brute.surface)
    assert (culled.surface >= 0).all()


@pytest.mark.parametrize('kind', [BOX, ELLIPSOID])
@pytest.mark.parametrize('x', [-2.0, -0.1, 0.0, 0.3, NEAR, 0.5 + NEAR, 0.6, 3.0])
def test_culling_at_the_camera_plane(kind, x):
    # Beside the camera: behind, across and beyond its plane.
    shapes = one(kind, (x, 0.9, 0.1))
    wide = Camera.looking(np.zeros(3), 0.0, 0.0, 0.0, math.radians(150))
    culled, brute = cast(shapes, wide, SIZE), cast(shapes, wide, SIZE, cull=False)
    assert np.array_equal(culled.surface, brute.surface)
    assert np.array_equal(culled.depth, brute.depth)
    assert (brute.surface >= 0).any() == (x > -0.4)


@pytest.mark.parametrize('kind', [BOX, ELLIPSOID])
def test_rectangles_are_tight(kind):
    rng = np.random.default_rng(kind)
    for _ in range(10):
        shapes = one(kind, (4.0, *rng.uniform(-0.8, 0.8, 2)), rng.uniform(0.1, 0.6, 3), random_rotation(rng))
        x0, x1, y0, y1 = screen_rectangles(shapes, AHEAD, (96, 128))[0]
        rows, cols = np.nonzero(cast(shapes, AHEAD, (96, 128), cull=False).surface >= 0)
        assert x0 <= cols.min() <= x0 + 3
        assert x1 - 4 <= cols.max() < x1
        assert y0 <= rows.min() <= y0 + 3
        assert y1 - 4 <= rows.max() < y1


@pytest.mark.parametrize('seed', range(4))
def test_hits_lie_on_their_surface(seed):
    shapes, camera = clutter(seed)
    hits = cast(shapes, camera, SIZE)
    assert (hits.surface >= 0).all()
    points = points_of(camera, hits.depth).reshape(-1, 3)
    shape, face = hits.surface.ravel() // FACES, hits.surface.ravel() % FACES
    own = np.einsum('pkd,pd->pk', shapes.axes[shape], points - shapes.centre[shape])
    half, kind = shapes.half[shape], shapes.kind[shape]
    np.testing.assert_allclose(extent(kind, own, half), 1.0, atol=2e-4)
    # The face is the one that the point lies on; a shell's faces look inwards.
    flat = kind != ELLIPSOID
    sign = np.where(face % 2 == 0, 1.0, -1.0) * np.where(kind == SHELL, -1.0, 1.0)
    at = np.take_along_axis(own / half, (face // 2)[:, None], axis=1)[:, 0]
    np.testing.assert_allclose(at[flat], sign[flat], atol=2e-4)


@pytest.mark.parametrize('seed', range(4))
def test_nothing_stands_before_a_hit(seed):
    shapes, camera = clutter(seed)
    depth = cast(shapes, camera, (24, 32)).depth
    solid = shapes.kind != SHELL
    for share in np.linspace(0.02, 0.999, 60):
        t = NEAR + share * (depth - NEAR)
        points = points_of(camera, t).reshape(-1, 3)
        inside = extent(shapes.kind, local(shapes.centre, shapes.axes, points), shapes.half) < 0.999
        # What a ray is in already at the near plane is not seen, by contract.
        start = points_of(camera, np.full_like(depth, NEAR)).reshape(-1, 3)
        begun = extent(shapes.kind, local(shapes.centre, shapes.axes, start), shapes.half) < 1.001
        assert not (inside & ~begun)[:, solid].any()


@pytest.mark.parametrize('seed', range(4))
def test_normals_are_unit_and_face_the_camera(seed):
    shapes, camera = clutter(seed)
    hits = cast(shapes, camera, SIZE)
    n = normals(shapes, camera, hits)
    assert n.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(n, axis=-1), 1.0, atol=1e-5)
    xs, ys = camera.rays(SIZE)
    towards = n[..., 0] * xs + n[..., 1] * ys[:, None] + n[..., 2]
    assert towards.max() <= 1e-5


def test_normals_agree_with_the_slope_of_the_depth():
    shapes, camera = clutter(1)
    size = (192, 256)
    hits = cast(shapes, camera, size)
    n = normals(shapes, camera, hits)
    points = (points_of(camera, hits.depth) - camera.position) @ camera.rotation.T
    slope = np.cross(points[2:, 1:-1] - points[:-2, 1:-1], points[1:-1, 2:] - points[1:-1, :-2])
    slope /= np.linalg.norm(slope, axis=-1, keepdims=True)
    s = hits.surface
    inner = (s[2:, 1:-1] == s[:-2, 1:-1]) & (s[1:-1, 2:] == s[1:-1, :-2]) & (s[1:-1, 1:-1] == s[2:, 1:-1])
    inner &= s[1:-1, 1:-1] == s[1:-1, 2:]
    cosine = np.abs((slope * n[1:-1, 1:-1]).sum(-1))
    curved = (shapes.kind == ELLIPSOID)[s[1:-1, 1:-1] // FACES]
    assert (inner & ~curved).mean() > 0.3
    assert (inner & curved).mean() > 0.05
    degrees = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    assert degrees[inner & ~curved].max() < 1.0
    assert np.percentile(degrees[inner & curved], 90) < 2.0


def test_axes_of_the_camera():
    room = one(SHELL, (0, 0, 0), (3.0, 2.0, 1.0))
    hits = cast(room, AHEAD, SIZE)
    n = normals(room, AHEAD, hits)
    wall, floor, ceiling = hits.surface == 1, hits.surface == 4, hits.surface == 5
    assert wall[24, 32] and floor[-1, 32] and ceiling[0, 32]
    np.testing.assert_allclose(hits.depth[wall], 3.0, rtol=1e-6)  # along the axis, not along the ray
    np.testing.assert_allclose(n[wall], np.broadcast_to([0, 0, -1], (wall.sum(), 3)), atol=1e-6)
    np.testing.assert_allclose(n[floor], np.broadcast_to([0, -1, 0], (floor.sum(), 3)), atol=1e-6)
    np.testing.assert_allclose(n[ceiling], np.broadcast_to([0, 1, 0], (ceiling.sum(), 3)), atol=1e-6)


def test_directions_of_the_camera():
    right = one(ELLIPSOID, (3.0, -1.0, 0.0), (0.2, 0.2, 0.2))  # world y is to the left of world x
    assert np.nonzero(cast(right, AHEAD, SIZE).surface >= 0)[1].min() > 32
    above = one(ELLIPSOID, (3.0, 0.0, 0.8), (0.2, 0.2, 0.2))
    assert np.nonzero(cast(above, AHEAD, SIZE).surface >= 0)[0].max() < 24
    up = Camera.looking(np.zeros(3), 0.0, math.atan2(0.8, 3.0), 0.0, math.radians(60))
    rows, cols = np.nonzero(cast(above, up, SIZE).surface >= 0)
    assert abs(rows.mean() - 23.5) < 0.5 and abs(cols.mean() - 31.5) < 0.5
    # A camera rolled clockwise sees what is above it to its left.
    rolled = Camera.looking(np.zeros(3), 0.0, 0.0, math.pi / 2, math.radians(60))
    rows, cols = np.nonzero(cast(above, rolled, SIZE).surface >= 0)
    assert cols.max() < 32 and abs(rows.mean() - 23.5) < 0.5


def test_focal_length_follows_the_longer_side():
    for size in ((48, 64), (64, 48)):
        xs, ys = AHEAD.rays(size)
        longer = xs if size[1] > size[0] else ys
        edge = longer[-1] + 0.5 * (longer[1] - longer[0])
        assert math.degrees(math.atan(edge)) == pytest.approx(30.0)


def test_empty_space():
    shapes = one(BOX, (-3.0, 0.0, 0.0))
    hits = cast(shapes, AHEAD, SIZE)
    assert (hits.surface == -1).all()
    assert (hits.depth == 0).all()
    assert (normals(shapes, AHEAD, hits) == 0).all()


def test_the_nearer_shape_wins_and_then_the_earlier():
    two = Shapes(
        np.array([BOX, ELLIPSOID, BOX]),
        np.array([[3.0, 0, 0], [2.0, 0, 0], [3.0, 0, 0]]),
        np.full((3, 3), 0.5),
        np.stack([np.eye(3)] * 3),
    )
    hits = cast(two, AHEAD, SIZE)
    assert set(np.unique(hits.surface // FACES)) == {-1, 0, 1}
    assert hits.depth[24, 32] == pytest.approx(1.5, abs=2e-3)
    assert hits.surface[24, 32] == FACES
