"""Plans the scene of image ``index`` of a split from a frozen random stream: a room, its people, a camera and light.

The order of drawing is part of the data set: change anything here and :data:`VERSION` must change with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mtlbox.datasets.raycast import Array, Camera, Ints, Shapes
from mtlbox.datasets.room_builder import (
    Stream,
    Thing,
    colour,
    darker,
)
from mtlbox.datasets.room_furniture import person
from mtlbox.datasets.room_layout import Layout
from mtlbox.datasets.room_shading import Light, Lighting, Material

VERSION = 1
"""Version of the pictures; part of every random key."""

SPLITS = ('train', 'val', 'test')


@dataclass(frozen=True)
class Scene:
    """Everything about one picture but its size.

    Args:
        shapes: N shapes; the first is the room's shell with its low corner at the origin.
        camera: The camera.
        surface_class: (6N,) class of every surface.
        surface_thing: (6N,) instance of every surface.
        surface_part: (6N,) human part of every surface, 0 for all that is not a person.
        surface_material: (6N,) number of its material.
        salient: (K,) whether instance k may be the salient object.
        materials: The materials.
        lighting: The light.
        noise_key: Key of the sensor noise.
    """

    shapes: Shapes
    camera: Camera
    surface_class: Ints
    surface_thing: Ints
    surface_part: Ints
    surface_material: Ints
    salient: Ints
    materials: list[Material]
    lighting: Lighting
    noise_key: tuple[int, int]


def stream_key(split: str, index: int, purpose: int) -> tuple[int, int]:
    """Key of a frozen stream: no two of (version, split, index, purpose) share one.

    Raises:
        ValueError: For an unknown split or a negative index.
    """
    if split not in SPLITS:
        raise ValueError(f'rooms has the splits {SPLITS}, not {split!r}')
    if not 0 <= index < 1 << 48:
        raise ValueError(f'rooms: index must be a whole number from 0 below 2**48, got {index}')
    return (VERSION << 32) + (SPLITS.index(split) << 8) + purpose, int(index)


def _clearance(shapes: Shapes, point: Array) -> float:
    """Distance in metres, 1 at most, of a point from all shapes but the shell, each taken as its box."""
    offset = np.abs(np.einsum('nkd,nd->nk', shapes.axes[1:], point - shapes.centre[1:]))
    return float(np.sqrt((np.maximum(offset - shapes.half[1:], 0.0) ** 2).sum(axis=1)).min(initial=1.0))


def _camera(plan: Layout) -> Camera:
    """Of several views, take one that keeps clear of everything and has much in sight."""
    s = plan.s
    views: list[tuple[float, Camera]] = []
    shapes = plan.b.shapes()[0]
    targets = [t.footprint for t in plan.b.things if t.salient and t.footprint is not None]
    for _ in range(10):
        x, y = s.uniform(0.25, plan.length - 0.25), s.uniform(0.25, plan.width - 0.25)
        z = min(s.uniform(0.7, 2.1), plan.height - 0.4)
        fov = math.radians(s.uniform(60.0, 64.0))  # nearly one camera: metric depth needs a known focal length
        pitch = math.radians(s.uniform(-42.0, 18.0))
        roll = math.radians(s.uniform(-7.0, 7.0))
        heading = s.uniform(-0.4, 0.4)
        if targets and s.chance(0.8):
            f = s.choice(targets)
            heading += math.atan2(f[1] - y, f[0] - x)
        else:
            heading += s.uniform(0.0, 2 * math.pi)
        view = Camera.looking(np.array([x, y, z]), heading, pitch, roll, fov)
        # How far the view goes, how many things it shows, and whether something near blocks it.
        forward = view.rotation[2]
        corner = np.where(forward > 0, (plan.length, plan.width, plan.height), 0.0)
        ahead = (corner - view.position) / np.where(np.abs(forward) > 1e-6, forward, 1e-6)
        score = min(float(ahead.min()), 3.5) + s.uniform(0.0, 2.0)
        score -= 100.0 * max(0.0, 0.55 - _clearance(shapes, view.position))
        p = shapes.in_camera(view)[0]
        reach = p[:, 2] * math.tan(fov / 2)
        inside = (p[:, 2] > 0.7) & (np.abs(p[:, 0]) < reach) & (np.abs(p[:, 1]) < 0.75 * reach)
        shown = {plan.b.labels[n][1] for n in np.flatnonzero(inside).tolist()}
        score += 0.5 * min(8, sum(plan.b.things[thing].salient for thing in shown))
        score -= 6.0 * max(0.0, 0.45 - _clearance(shapes, view.position + 0.9 * forward))
        views.append((score, view))
    return max(views, key=lambda scored: scored[0])[1]


def _people(plan: Layout, camera: Camera) -> None:
    """In about half of the rooms one to three people, standing or sitting where the camera looks."""
    s, b = plan.s, plan.b
    if not s.chance(0.5):
        return
    cx, cy = float(camera.position[0]), float(camera.position[1])
    heading = math.atan2(camera.rotation[2, 1], camera.rotation[2, 0])
    for _ in range(s.choice((1, 2, 3), (6, 3, 1))):
        seats = [
            q for q in plan.seats
            if 1.4 < math.hypot(q[0] - cx, q[1] - cy) < 5.0
            and math.cos(math.atan2(q[1] - cy, q[0] - cx) - heading) > 0.85
        ]  # fmt: skip
        if seats and s.chance(0.45):
            x, y, yaw, height = s.choice(seats)
            plan.seats.remove((x, y, yaw, height))
            b.begin(Thing(True), x, y, yaw)
            person(b, s, height)
            continue
        for _ in range(8):
            angle, r = heading + s.uniform(-0.45, 0.45), s.uniform(1.3, 4.5)
            x, y = cx + r * math.cos(angle), cy + r * math.sin(angle)
            f = (x, y, 1.0, 0.0, 0.24, 0.24)
            if plan.free(f):
                # Seen from all sides, more often from the front.
                yaw = s.choice((math.atan2(cy - y, cx - x) - math.pi / 2 + s.uniform(-0.9, 0.9), s.uniform(0.0, 6.28)))
                b.begin(Thing(True, f), x, y, yaw)
                person(b, s)
                plan.blocked.append(f)
                break


def _lighting(plan: Layout) -> Lighting:
    """Lamps, windows, ambient light, haze and the camera's exposure."""
    s = plan.s
    warm = colour(s.uniform(0.08, 0.13), s.uniform(0.0, 0.35), 1.0)
    power = s.uniform(0.7, 2.2)
    lights = []
    for place in plan.lamps:
        p = power * s.uniform(0.6, 1.3)
        lights.append(Light(place, darker(warm, p), s.uniform(1.5, 3.0)))
    lean_x = lean_y = 0.0
    for x, y, z, yaw in plan.windows:
        day = darker(colour(s.uniform(0.55, 0.62), s.uniform(0.0, 0.2), 1.0), s.uniform(0.6, 3.0))
        normal = (-math.sin(yaw), math.cos(yaw))
        lights.append(
            Light((x + 0.05 * normal[0], y + 0.05 * normal[1], z), day, s.uniform(1.5, 3.0), 1.0, (*normal, -0.15))
        )
        lean_x, lean_y = lean_x - 0.12 * normal[0], lean_y - 0.12 * normal[1]
    ambient = darker(colour(s.random(), s.uniform(0.0, 0.12), 1.0), s.uniform(0.15, 0.5))
    tint = s.uniform(-0.12, 0.12)
    return Lighting(
        lights=lights,
        ambient=ambient,
        lean=(lean_x + s.uniform(-0.1, 0.1), lean_y + s.uniform(-0.1, 0.1), s.uniform(0.1, 0.35)),
        flash=s.uniform(0.25, 0.9),
        haze=darker(ambient, s.uniform(0.5, 0.9)),
        haze_length=s.uniform(8.0, 12.0),
        corner=s.uniform(0.4, 0.75),
        exposure=s.uniform(0.2, 0.46),
        balance=(1.0 + tint, 1.0 + s.uniform(-0.03, 0.03), 1.0 - tint),
        blur=s.uniform(0.0, 0.35),
        noise=s.uniform(0.5, 5.0),
        contacts=[t.footprint for t in plan.b.things if t.footprint is not None],
    )


def sample_scene(split: str, index: int) -> Scene:
    """Plan image ``index`` of a split.

    Args:
        split: One of :data:`SPLITS`.
        index: From 0; there is no last one.

    Raises:
        ValueError: For an unknown split or a negative index.
    """
    plan = Layout(Stream(stream_key(split, index, 0)))
    plan.room()
    plan.openings()
    plan.furnish()
    plan.hang()
    camera = _camera(plan)
    _people(plan, camera)
    lighting = _lighting(plan)
    b = plan.b
    shapes, surface_material = b.shapes()
    labels: Array = np.repeat(np.array(b.labels), 6, axis=0)
    labels[:6] = b.shell_labels
    return Scene(
        shapes=shapes,
        camera=camera,
        surface_class=np.ascontiguousarray(labels[:, 0]).astype(np.intp),
        surface_thing=np.ascontiguousarray(labels[:, 1]).astype(np.intp),
        surface_part=np.ascontiguousarray(labels[:, 2]).astype(np.intp),
        surface_material=surface_material,
        salient=np.array([t.salient for t in b.things], dtype=np.intp),
        materials=b.materials,
        lighting=lighting,
        noise_key=stream_key(split, index, 1),
    )
