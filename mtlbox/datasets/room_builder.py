"""What rooms are put together with: a frozen random stream, class names, materials and a builder of shapes."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mtlbox.datasets.raycast import BOX, ELLIPSOID, FACES, SHELL, Array, Ints, Shapes
from mtlbox.datasets.room_shading import (
    CHECKER,
    NOISE,
    PAINTING,
    PANE,
    PANELS,
    PLAIN,
    PLANKS,
    SCREEN,
    SPINES,
    STRIPES,
    TILES,
    Material,
)

T = TypeVar('T')
RGB = tuple[float, float, float]

CLASSES = (
    'bed', 'books', 'ceiling', 'chair', 'floor', 'furniture', 'objects',
    'picture', 'sofa', 'table', 'tv', 'wall', 'window',
)  # fmt: skip
"""NYUv2's 13 classes in their usual order.

What has no class of its own follows NYUv2's own merge of 40 classes into 13: people, lamps, pillows and boxes are
objects; doors are wall; cabinets, shelves and night stands furniture; desks tables; rugs floor; curtains window.
"""

BED, BOOKS, CEILING, CHAIR, FLOOR, FURNITURE, OBJECTS, PICTURE, SOFA, TABLE, TV, WALL, WINDOW = range(13)

PARTS = ('background', 'head', 'torso', 'upper_arm', 'lower_arm', 'upper_leg', 'lower_leg')
"""Human parts; hands go with the lower arm, feet with the lower leg."""

HEAD, TORSO, UPPER_ARM, LOWER_ARM, UPPER_LEG, LOWER_LEG = range(1, 7)


class Stream:
    """Random numbers that are the same on every machine and under every version of NumPy.

    Only the raw output of Philox is used, which NumPy promises to keep; NumPy's own distributions may change.

    Args:
        key: Two whole numbers below 2**64; streams of different keys are independent.
    """

    _BLOCK = 2048

    def __init__(self, key: tuple[int, int]) -> None:
        self._bits = np.random.Philox(key=list(key))
        self._pool: list[float] = []

    def random(self) -> float:
        """Uniform in [0, 1)."""
        if not self._pool:
            raw = self._bits.random_raw(self._BLOCK)
            self._pool = ((raw >> np.uint64(11)).astype(np.float64) * 2.0**-53).tolist()[::-1]
        return self._pool.pop()

    def uniform(self, low: float, high: float) -> float:
        """Uniform in [low, high)."""
        return low + (high - low) * self.random()

    def integer(self, low: int, high: int) -> int:
        """Whole number from low to high, both included."""
        return low + int(self.random() * (high - low + 1))

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return self.random() < p

    def choice(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """One of the options, by weight."""
        if weights is None:
            return options[int(self.random() * len(options))]
        rest = self.random() * sum(weights)
        for option, weight in zip(options, weights):
            rest -= weight
            if rest < 0.0:
                return option
        return options[-1]


def colour(hue: float, saturation: float, value: float) -> RGB:
    """Linear RGB of a colour as a person names it; the hue wraps around."""
    r, g, b = colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0))
    return r * r, g * g, b * b


def any_colour(s: Stream, saturation: tuple[float, float], value: tuple[float, float]) -> RGB:
    """A colour of any hue within ranges of saturation and value."""
    return colour(s.random(), s.uniform(*saturation), s.uniform(*value))


def wood_colour(s: Stream) -> RGB:
    """From pale birch over oak to dark walnut."""
    return colour(
        s.uniform(0.04, 0.11), s.uniform(0.3, 0.75), s.choice((0.35, 0.55, 0.75, 0.9)) + s.uniform(-0.1, 0.08)
    )


def darker(c: RGB, factor: float) -> RGB:
    """The colour times a factor."""
    return c[0] * factor, c[1] * factor, c[2] * factor


def plain(s: Stream, c: RGB, grain: float = 0.12) -> Material:
    """One colour with the unevenness of a real surface."""
    return Material(PLAIN, c, grain=grain, seed=float(s.integer(0, 255)))


def wood(s: Stream, c: RGB | None = None, board: float = 0.15) -> Material:
    """Boards of about ``board`` metres in width."""
    c = c or wood_colour(s)
    return Material(
        PLANKS, c, darker(c, s.uniform(0.4, 0.7)), 0.8, 1.0 / board, grain=0.12, seed=float(s.integer(0, 255))
    )


def fabric(s: Stream, c: RGB) -> Material:
    """Cloth: mottled, striped or plain."""
    other = darker(c, s.uniform(0.45, 0.8)) if s.chance(0.7) else any_colour(s, (0.1, 0.7), (0.3, 0.95))
    seed = float(s.integer(0, 255))
    kind = s.choice((PLAIN, NOISE, STRIPES, CHECKER), (4, 3, 2, 1))
    f = s.uniform(5.0, 14.0)
    return Material(kind, c, other, f, f, s.uniform(0.3, 0.7), s.uniform(0.1, 0.3), seed=seed)


def floor_material(s: Stream) -> Material:
    """Boards, tiles, carpet or checks."""
    seed = float(s.integer(0, 255))
    kind = s.choice((PLANKS, TILES, NOISE, CHECKER, PLAIN), (5, 3, 3, 1, 1))
    if kind == PLANKS:
        return wood(s, board=s.uniform(0.08, 0.22))
    if kind == TILES:
        c = colour(s.uniform(0.02, 0.15), s.uniform(0.0, 0.4), s.uniform(0.4, 0.9))
        f = s.uniform(1.6, 3.5)
        return Material(TILES, c, darker(c, s.choice((0.4, 1.4))), f, f, s.choice((0.0, 0.5)), 0.12, seed=seed)
    c = any_colour(s, (0.1, 0.6), (0.25, 0.75))
    f = s.uniform(1.5, 3.0) if kind == CHECKER else s.uniform(6.0, 15.0)
    return Material(kind, c, darker(c, s.uniform(0.4, 0.7)), f, f, grain=0.3, seed=seed)


def wall_material(s: Stream) -> Material:
    """Paint mostly; wallpaper, brick or panelling at times."""
    c = any_colour(s, (0.02, 0.4), (0.55, 0.97))
    seed = float(s.integer(0, 255))
    kind = s.choice((PLAIN, NOISE, STRIPES, TILES, PLANKS), (9, 2, 2, 1, 1))
    if kind == TILES:
        c = colour(s.uniform(0.0, 0.09), s.uniform(0.2, 0.6), s.uniform(0.5, 0.85))
        return Material(TILES, c, darker(c, 1.5), 4.0, 12.0, 0.5, 0.2, seed=seed)
    if kind == PLANKS:
        return Material(PLANKS, wood_colour(s), wood_colour(s), 0.3, s.uniform(4.0, 9.0), grain=0.1, seed=seed)
    f = s.uniform(3.0, 8.0)
    return Material(kind, c, darker(c, s.uniform(0.7, 0.93)), f, f, 0.5, s.uniform(0.04, 0.15), seed=seed)


def cabinet_front(s: Stream, c: RGB, columns: int, rows: int) -> Material:
    """Doors or drawers with dark gaps and handles."""
    handle = s.choice((colour(0.1, 0.05, 0.8), (0.02, 0.02, 0.02), colour(0.12, 0.5, 0.6)))
    seed = float(s.integer(0, 255))
    return Material(PANELS, c, handle, columns, rows, s.choice((0.5, 0.88)), 0.08, seed=seed)


def spines(s: Stream) -> Material:
    """A row of books, edge on."""
    return Material(
        SPINES,
        any_colour(s, (0.0, 0.5), (0.2, 0.9)),
        fu=s.uniform(18.0, 34.0),
        grain=0.1,
        seed=float(s.integer(0, 255)),
    )


def painting(s: Stream) -> Material:
    """A framed picture."""
    frame = s.choice((wood_colour(s), (0.01, 0.01, 0.01), (0.8, 0.8, 0.78)))
    f = s.uniform(0.8, 2.5)
    main = any_colour(s, (0.1, 0.9), (0.3, 0.95))
    return Material(PAINTING, main, frame, f, f, s.uniform(0.02, 0.05), seed=float(s.integer(0, 255)))


def pane(s: Stream, columns: int, rows: int) -> Material:
    """Glass with a view of sky and trees between bars."""
    sky = colour(s.uniform(0.5, 0.62), s.uniform(0.0, 0.35), s.uniform(0.75, 1.0))
    bars = s.choice(((0.85, 0.85, 0.83), wood_colour(s)), (3, 1))
    seed = float(s.integer(0, 255))
    return Material(PANE, sky, bars, columns, rows, 0.05, 0.02, s.uniform(0.9, 3.0), seed)


def screen(s: Stream) -> Material:
    """A television, off or on."""
    f = s.uniform(0.5, 1.5)
    glow = s.uniform(0.8, 1.6) if s.chance(0.35) else 0.0
    return Material(SCREEN, (0.02, 0.02, 0.02), (0.01, 0.01, 0.012), f, f, 0.025, 0.0, glow, float(s.integer(0, 255)))


@dataclass
class Thing:
    """One instance of the scene.

    Args:
        salient: Whether it may be the salient object: all that stands in the room, not the room itself.
        footprint: Where it darkens the floor: centre x, y, cosine and sine of the yaw, half width, half depth.
    """

    salient: bool
    footprint: tuple[float, float, float, float, float, float] | None = None


class Builder:
    """Collects shapes, in the frame of the piece of furniture that is being put together.

    The local frame has x along the piece's width, y to its front and z up, with the origin below its centre.
    """

    def __init__(self) -> None:
        self.things: list[Thing] = []
        self.materials: list[Material] = []
        self.labels: list[tuple[int, int, int]] = []  # class, thing, part
        self._kind: list[int] = []
        self._centre: list[tuple[float, float, float]] = []
        self._half: list[tuple[float, float, float]] = []
        self._axes: list[tuple[float, ...]] = []
        self._surfaces: list[int] = []
        self._x = self._y = self._z = 0.0
        self._cos, self._sin = 1.0, 0.0
        self._thing = -1
        self.shell_labels: list[tuple[int, int, int]] = []  # of the shell's six faces

    def begin(self, thing: Thing, x: float, y: float, yaw: float, z: float = 0.0) -> None:
        """Start an instance whose local frame stands at (x, y, z), turned by ``yaw``."""
        self.things.append(thing)
        self.resume(len(self.things) - 1, x, y, yaw, z)

    def resume(self, thing: int, x: float, y: float, yaw: float, z: float = 0.0) -> None:
        """Go on with an earlier instance in a new local frame."""
        self._thing = thing
        self._x, self._y, self._z, self._cos, self._sin = x, y, z, math.cos(yaw), math.sin(yaw)

    def shell(self, half: RGB, labels: Sequence[int], materials: Sequence[int]) -> None:
        """Add the room, whose six faces are an instance each, with their own class and material."""
        self._place(SHELL, (0.0, 0.0, 0.0), half, labels[0], 0)
        self._axes.append((1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
        first = self._thing
        self.things += [Thing(False) for _ in range(FACES - 1)]
        self.shell_labels = [(label, first + face, 0) for face, label in enumerate(labels)]
        self._surfaces += materials

    def material(self, material: Material) -> int:
        """Register a material and return its number."""
        self.materials.append(material)
        return len(self.materials) - 1

    def _place(self, kind: int, centre: RGB, half: RGB, label: int, part: int) -> None:
        x, y, z = centre
        c, s = self._cos, self._sin
        self._kind.append(kind)
        self._centre.append((self._x + c * x - s * y, self._y + s * x + c * y, self._z + z))
        self._half.append(half)
        self.labels.append((label, self._thing, part))

    def box(
        self, centre: RGB, half: RGB, label: int, material: int, front: int | None = None, tilt: float = 0.0
    ) -> None:
        """Add a box.

        Args:
            centre: Local.
            half: Half sizes.
            label: Class.
            material: Of all faces.
            front: Material of the face to local +y, where it is another.
            tilt: Angle in radians by which the top leans to local -y.
        """
        self._place(BOX, centre, half, label, 0)
        c, s, ct, st = self._cos, self._sin, math.cos(tilt), math.sin(tilt)
        self._axes.append((c, s, 0.0, -s * ct, c * ct, st, s * st, -c * st, ct))
        face = material if front is None else front
        self._surfaces += [material, material, face, material, material, material]

    def ellipsoid(self, centre: RGB, radii: RGB, label: int, material: int, part: int = 0) -> None:
        """Add an ellipsoid whose axes are the local ones."""
        self._place(ELLIPSOID, centre, radii, label, part)
        c, s = self._cos, self._sin
        self._axes.append((c, s, 0.0, -s, c, 0.0, 0.0, 0.0, 1.0))
        self._surfaces += [material] * FACES

    def limb(self, a: RGB, b: RGB, radius: float, label: int, material: int, part: int) -> None:
        """Add a slender ellipsoid from local point a to b, reaching a radius' half beyond both."""
        dx, dy, dz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        length = math.sqrt(dx * dx + dy * dy + dz * dz)
        middle = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2)
        self._place(ELLIPSOID, middle, (radius, radius, length / 2 + radius / 2), label, part)
        c, s = self._cos, self._sin
        wx, wy, wz = (c * dx - s * dy) / length, (s * dx + c * dy) / length, dz / length
        # Any two axes square to w will do, for the two radii are equal.
        if abs(wz) < 0.9:
            n = math.hypot(wx, wy)
            ux, uy, uz = -wy / n, wx / n, 0.0
        else:
            n = math.hypot(wy, wz)
            ux, uy, uz = 0.0, wz / n, -wy / n
        vx, vy, vz = wy * uz - wz * uy, wz * ux - wx * uz, wx * uy - wy * ux
        self._axes.append((ux, uy, uz, vx, vy, vz, wx, wy, wz))
        self._surfaces += [material] * FACES

    def shapes(self) -> tuple[Shapes, Ints]:
        """All shapes, and the material of each of their surfaces."""
        axes: Array = np.array(self._axes, dtype=np.float64).reshape(-1, 3, 3)
        shapes = Shapes(np.array(self._kind, dtype=np.intp), np.array(self._centre), np.array(self._half), axes)
        return shapes, np.array(self._surfaces, dtype=np.intp)
