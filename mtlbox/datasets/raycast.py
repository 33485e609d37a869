"""A small exact ray-caster for boxes, ellipsoids and the inside of a room, in NumPy alone.

Every shape is an affine image of a cube or a sphere: a centre, three orthonormal axes and a half size along each. A ray
through the centre of a pixel has the camera-space direction ``(x, y, 1)``, so that the ray parameter of a hit *is* the
depth along the optical axis. Each shape is intersected only inside the rectangle of pixels that can see it
(:func:`screen_rectangles`) and merged through a z-buffer; rendering without that culling gives the same buffers bit by
bit, which is how it is tested.

Axes: world z is up; camera x right, y down, z forward. Lengths are metres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHELL, BOX, ELLIPSOID = 0, 1, 2
"""Kinds of shape. A shell is a box seen from inside: the room."""

FACES = 6
"""Surfaces per shape: face ``2 * axis`` looks along the axis, ``2 * axis + 1`` against it. Ellipsoids use face 0."""

NEAR = 0.05
"""What enters a shape closer than this to the camera plane is not seen, in metres."""

_TINY = np.float32(1e-20)

Array = NDArray[np.float64]
Image = NDArray[np.float32]
Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera.

    Args:
        position: (3,) in the world.
        rotation: (3, 3), rows are the camera's right, down and forward directions in the world.
        fov: Opening angle in radians of the longer side of the picture.
    """

    position: Array
    rotation: Array
    fov: float

    @classmethod
    def looking(cls, position: Array, yaw: float, pitch: float, roll: float, fov: float) -> Camera:
        """Place a camera by its angles in radians.

        Args:
            position: (3,) in the world.
            yaw: Heading, counter-clockwise from world x when seen from above.
            pitch: Upwards positive.
            roll: Clockwise turn of the camera about its own optical axis.
            fov: As in the class.
        """
        cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
        forward = np.array([cy * cp, sy * cp, sp])
        right = np.array([sy, -cy, 0.0])
        down = np.cross(forward, right)
        cr, sr = math.cos(roll), math.sin(roll)
        rotation = np.stack([cr * right + sr * down, cr * down - sr * right, forward])
        return cls(np.asarray(position, dtype=np.float64), rotation, fov)

    def focal(self, size: tuple[int, int]) -> float:
        """Focal length in pixels for a picture of ``size`` (H, W)."""
        return 0.5 * max(size) / math.tan(0.5 * self.fov)

    def rays(self, size: tuple[int, int]) -> tuple[Array, Array]:
        """x of the columns (W,) and y of the rows (H,): pixel (i, j) looks along ``(x[j], y[i], 1)``."""
        height, width = size
        focal = self.focal(size)
        columns = np.arange(width, dtype=np.float64) + 0.5 - 0.5 * width
        rows = np.arange(height, dtype=np.float64) + 0.5 - 0.5 * height
        return columns / focal, rows / focal


@dataclass(frozen=True)
class Shapes:
    """N shapes in the world.

    Args:
        kind: (N,) of ``SHELL``, ``BOX``, ``ELLIPSOID``.
        centre: (N, 3).
        half: (N, 3) half sizes (radii) along the axes, positive.
        axes: (N, 3, 3), rows are the local axes in the world, orthonormal.
    """

    kind: Ints
    centre: Array
    half: Array
    axes: Array

    def in_camera(self, camera: Camera) -> tuple[Array, Array]:
        """Centres (N, 3) and axes (N, 3, 3) in camera coordinates."""
        return (self.centre - camera.position) @ camera.rotation.T, self.axes @ camera.rotation.T


@dataclass(frozen=True)
class Hits:
    """What each pixel sees.

    Args:
        depth: (H, W) depth along the optical axis in metres, 0 where nothing is hit.
        surface: (H, W) ``FACES * shape + face``, -1 where nothing is hit.
    """

    depth: Image
    surface: Ints


_CORNERS = np.array([[i, j, k] for i in (-1.0, 1.0) for j in (-1.0, 1.0) for k in (-1.0, 1.0)])
_EDGES = np.array([(a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b) in (1, 2, 4)])


def _box_bounds(centre: Array, half: Array, axes: Array) -> Array:
    """Bounds (N, 4) as x0, x1, y0, y1 on the plane z = 1 of the part of each box beyond the near plane."""
    corners = centre[:, None] + np.einsum('ck,nk,nkd->ncd', _CORNERS, half, axes)  # (N, 8, 3)
    a, b = corners[:, _EDGES[:, 0]], corners[:, _EDGES[:, 1]]  # (N, 12, 3)
    crossing = (a[..., 2] < NEAR) != (b[..., 2] < NEAR)
    step = np.where(crossing, b[..., 2] - a[..., 2], 1.0)
    cut = a + ((NEAR - a[..., 2]) / step)[..., None] * (b - a)  # (N, 12, 3)
    points = np.concatenate([corners, cut], axis=1)  # (N, 20, 3)
    valid = np.concatenate([corners[..., 2] >= NEAR, crossing], axis=1)
    depth = np.concatenate([corners[..., 2], np.full_like(step, NEAR)], axis=1)
    flat = points[..., :2] / np.where(valid, depth, 1.0)[..., None]
    low = np.where(valid[..., None], flat, np.inf).min(axis=1)
    high = np.where(valid[..., None], flat, -np.inf).max(axis=1)
    return np.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]], axis=1)


def _ellipsoid_bounds(centre: Array, half: Array, axes: Array) -> Array:
    """As :func:`_box_bounds`, exact from the dual conic; an ellipsoid that crosses the near plane gets everything."""
    spread = np.einsum('nk,nki,nkj->nij', half**2, axes, axes)  # the dual quadric about the centre
    dual = spread - centre[:, :, None] * centre[:, None, :]
    reach = np.sqrt(spread[:, 2, 2])
    ahead = centre[:, 2] - reach > NEAR
    scale = np.where(ahead, dual[:, 2, 2], -1.0)
    bounds = np.empty((len(centre), 4))
    for k in (0, 1):  # the tangents x = s z solve dual22 s^2 - 2 dual02 s + dual00 = 0
        root = np.sqrt(np.maximum(dual[:, k, 2] ** 2 - dual[:, k, k] * scale, 0.0))
        bounds[:, 2 * k] = (dual[:, k, 2] + root) / scale
        bounds[:, 2 * k + 1] = (dual[:, k, 2] - root) / scale
    bounds[~ahead] = (-np.inf, np.inf, -np.inf, np.inf)
    bounds[centre[:, 2] + reach < NEAR] = (np.inf, -np.inf, np.inf, -np.inf)
    return bounds


def screen_rectangles(shapes: Shapes, camera: Camera, size: tuple[int, int]) -> Ints:
    """Rectangles of pixels outside which a shape is certainly not seen.

    Returns:
        (N, 4) as column start, column stop, row start, row stop; empty (start >= stop) for a shape that is out of view.
        A shell gets the whole picture.
    """
    height, width = size
    centre, axes = shapes.in_camera(camera)
    bounds = np.tile(np.array([-np.inf, np.inf, -np.inf, np.inf]), (len(shapes.kind), 1))
    for kind, find in ((BOX, _box_bounds), (ELLIPSOID, _ellipsoid_bounds)):
        chosen = shapes.kind == kind
        bounds[chosen] = find(centre[chosen], shapes.half[chosen], axes[chosen])
    pixels = bounds * camera.focal(size) + 0.5 * np.array([width, width, height, height])
    limits = np.array([width, width, height, height])
    # Pixel j has its centre at j + 0.5: one pixel of margin on either side covers all rounding.
    pixels[:, 0::2] = np.floor(pixels[:, 0::2]) - 1
    pixels[:, 1::2] = np.ceil(pixels[:, 1::2]) + 1
    return np.clip(pixels, 0, limits).astype(np.intp)


def _slabs(d: Image, origin: Image, half: Image) -> tuple[Image, Image]:
    """Middle and half length (3, h, w) of the ray's stay in each pair of a box's planes; ``d`` is overwritten."""
    np.add(d, _TINY, out=d)  # no division by zero
    np.reciprocal(d, out=d)
    return d * origin, np.abs(d) * half


def cast(shapes: Shapes, camera: Camera, size: tuple[int, int], cull: bool = True) -> Hits:
    """Find the nearest shape at every pixel centre.

    Args:
        shapes: The scene. Where two shapes are equally near, the earlier one wins.
        camera: The camera. It should stand outside all boxes and ellipsoids: a shape that holds it is not seen.
        size: (H, W) of the picture.
        cull: False intersects every shape at every pixel; for tests.

    Returns:
        Depth and surface of the nearest hits.
    """
    height, width = size
    depth = np.full(size, np.inf, dtype=np.float32)
    surface = np.full(size, -1, dtype=np.intp)
    xs, ys = camera.rays(size)
    x32, y32 = xs.astype(np.float32), ys.astype(np.float32)
    centre, axes = shapes.in_camera(camera)
    origin = -np.einsum('nkd,nd->nk', axes, centre)  # the camera in each shape's own axes
    axes32, origin32, half32 = axes.astype(np.float32), origin.astype(np.float32), shapes.half.astype(np.float32)
    # An ellipsoid: a t^2 + 2 b t + c = 0 with a = d'Qd, b = q'd; its discriminant is a quadratic form of d as well.
    scaled = axes / shapes.half[:, :, None]
    quadric = np.einsum('nki,nkj->nij', scaled, scaled)
    q = np.einsum('nij,nj->ni', quadric, -centre)
    c = np.einsum('ni,ni->n', q, -centre) - 1.0
    disc = q[:, :, None] * q[:, None, :] - c[:, None, None] * quadric

    if cull:
        rectangles = screen_rectangles(shapes, camera, size).tolist()
    else:
        rectangles = [[0, width, 0, height]] * len(shapes.kind)
    for n, (kind, (x0, x1, y0, y1)) in enumerate(zip(shapes.kind.tolist(), rectangles)):
        if x0 >= x1 or y0 >= y1:
            continue
        z, face_map = depth[y0:y1, x0:x1], surface[y0:y1, x0:x1]
        if kind == ELLIPSOID:
            x, y = xs[x0:x1], ys[y0:y1, None]
            s = disc[n]
            root = (s[0, 0] * x + 2.0 * (s[0, 1] * y + s[0, 2])) * x + ((s[1, 1] * y + 2.0 * s[1, 2]) * y + s[2, 2])
            rows, cols = np.nonzero(root > 0.0)
            if not len(rows):
                continue
            hx, hy = x[cols], y[rows, 0]
            m = quadric[n]
            a = (m[0, 0] * hx + 2.0 * (m[0, 1] * hy + m[0, 2])) * hx + ((m[1, 1] * hy + 2.0 * m[1, 2]) * hy + m[2, 2])
            b = q[n, 0] * hx + q[n, 1] * hy + q[n, 2]
            t = ((-b - np.sqrt(root[rows, cols])) / a).astype(np.float32)
            seen = (t > NEAR) & (t < z[rows, cols])
            rows, cols = rows[seen], cols[seen]
            z[rows, cols] = t[seen]
            face_map[rows, cols] = FACES * n
            continue
        rx, ry, rz = axes32[n].T[:, :, None]  # (3, 1) each
        d = (rx * x32[x0:x1])[:, None, :] + (ry * y32[y0:y1] + rz)[:, :, None]  # (3, h, w)
        towards = d > 0.0
        middle, reach = _slabs(d, origin32[n][:, None, None], half32[n][:, None, None])
        if kind == SHELL:
            exits = np.subtract(reach, middle, out=reach)
            e0, e1, e2 = exits
            t = np.minimum(np.minimum(e0, e1), e2)
            hit = (t > NEAR) & (t < z)
            first, second = e0 == t, e1 == t
        else:
            far = (reach - middle).min(axis=0)
            e0, e1, e2 = np.add(middle, reach, out=middle)  # minus the entries
            t = -np.minimum(np.minimum(e0, e1), e2)
            hit = (t < far) & (t > NEAR) & (t < z)
            first, second = e0 == -t, e1 == -t
        if not hit.any():
            continue
        # A box is entered against an axis that the ray follows; a room's wall is seen from inside, the same way.
        f0, f1, f2 = towards.view(np.int8)
        face = np.where(first, f0, np.where(second, f1 + np.int8(2), f2 + np.int8(4)))
        np.copyto(z, t, where=hit)
        np.add(face, FACES * n, out=face_map, where=hit, dtype=np.intp)
    depth[surface < 0] = 0.0
    return Hits(depth, surface)


def face_normals(shapes: Shapes, camera: Camera) -> Image:
    """Normals (FACES * N, 3) in camera axes of all flat faces: out of a box, and into a room from its shell.

    A shell's face is numbered like a box's, by the direction of its normal.
    """
    _, axes = shapes.in_camera(camera)
    table = np.stack([axes, -axes], axis=2)  # (N, 3, 2, 3): plus and minus of each axis
    return np.ascontiguousarray(table.reshape(-1, 3).astype(np.float32))


def normals(shapes: Shapes, camera: Camera, hits: Hits) -> Image:
    """Unit surface normals (H, W, 3) in camera axes, turned to the camera; zero where nothing is hit."""
    size = hits.depth.shape
    flat = hits.surface.ravel()
    out = face_normals(shapes, camera)[flat]  # (P, 3)
    out[flat < 0] = 0.0
    curved = np.flatnonzero((shapes.kind == ELLIPSOID)[flat // FACES] & (flat >= 0))
    if len(curved):
        centre, axes = shapes.in_camera(camera)
        scaled = axes / shapes.half[:, :, None]
        quadric = np.einsum('nki,nkj->nij', scaled, scaled)
        xs, ys = camera.rays((size[0], size[1]))
        t = hits.depth.ravel()[curved].astype(np.float64)
        rays = np.stack([xs[curved % size[1]], ys[curved // size[1]], np.ones(len(curved))], axis=1)
        shape = flat[curved] // FACES
        gradient = np.einsum('pij,pj->pi', quadric[shape], t[:, None] * rays - centre[shape])
        gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
        # At the silhouette rounding may turn a normal away by a hair; it is bent back to grazing.
        away = np.einsum('pi,pi->p', gradient, rays) / np.einsum('pi,pi->p', rays, rays)
        gradient -= np.maximum(away, 0.0)[:, None] * rays
        gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
        out[curved] = gradient
    return out.reshape(*size, 3)
