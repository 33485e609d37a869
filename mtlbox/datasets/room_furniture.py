"""Furniture, small things and people, each put together from a few boxes and ellipsoids in its own frame.

Every maker draws its proportions and materials from the stream and adds to the thing that the builder has begun; the
local frame is described at :class:`~mtlbox.datasets.room_builder.Builder`. Sizes are metres.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from mtlbox.datasets.room_builder import (
    BED,
    BOOKS,
    CHAIR,
    FURNITURE,
    HEAD,
    LOWER_ARM,
    LOWER_LEG,
    OBJECTS,
    SOFA,
    TABLE,
    TORSO,
    TV,
    UPPER_ARM,
    UPPER_LEG,
    Builder,
    Stream,
    any_colour,
    cabinet_front,
    colour,
    darker,
    fabric,
    plain,
    screen,
    spines,
    wood,
    wood_colour,
)


@dataclass(frozen=True)
class Piece:
    """What the planner of a room needs to know of a kind of furniture.

    Args:
        width: Range of the extent along the wall.
        depth: Range of the extent away from it.
        height: Range of the height.
        make: Adds its shapes for a width, depth and height.
        surface: Whether its top can carry small things.
    """

    width: tuple[float, float]
    depth: tuple[float, float]
    height: tuple[float, float]
    make: Callable[[Builder, Stream, float, float, float], None]
    surface: bool = False


def _legs(b: Builder, w: float, d: float, h: float, thick: float, label: int, material: int) -> None:
    for x in (-1, 1):
        for y in (-1, 1):
            b.box((x * (w / 2 - thick), y * (d / 2 - thick), h / 2), (thick, thick, h / 2), label, material)


def bed(b: Builder, s: Stream, w: float, d: float, h: float) -> None:
    """Frame, mattress, blanket, headboard at the back and one or two pillows."""
    frame = b.material(wood(s) if s.chance(0.7) else plain(s, any_colour(s, (0.0, 0.4), (0.2, 0.9))))
    sheet = b.material(plain(s, any_colour(s, (0.0, 0.15), (0.8, 1.0)), 0.08))
    cover = b.material(fabric(s, any_colour(s, (0.1, 0.75), (0.4, 1.0))))
    b.box((0, 0, h * 0.3), (w / 2, d / 2, h * 0.2), BED, frame)
    b.box((0, 0, h * 0.72), (w / 2 - 0.03, d / 2 - 0.04, h * 0.25), BED, sheet)
    reach = s.uniform(0.55, 0.75) * d
    b.box((0, d / 2 - reach / 2, h * 0.77), (w / 2 + 0.02, reach / 2 + 0.01, h * 0.25), BED, cover)
    b.box((0, -d / 2 - 0.03, h * s.uniform(0.85, 1.2)), (w / 2 + 0.03, 0.04, h * 0.85), BED, frame)
    pillow = sheet if s.chance(0.4) else b.material(fabric(s, any_colour(s, (0.0, 0.7), (0.5, 1.0))))
    count = 2 if w > 1.3 else 1
    for k in range(count):
        x = (k - (count - 1) / 2) * w * 0.46
        b.ellipsoid((x, -d / 2 + 0.28, h + 0.05), (w * 0.21 if count == 2 else w * 0.36, 0.2, 0.11), OBJECTS, pillow)


def sofa(b: Builder, s: Stream, w: float, d: float, h: float) -> None:
    """Base, seat cushions, leaning back and two arms; narrow ones are armchairs."""
    c = any_colour(s, (0.05, 0.7), (0.2, 0.85))
    cloth = b.material(fabric(s, c))
    dark = b.material(plain(s, darker(c, 0.8), 0.2))
    arm = s.uniform(0.09, 0.14)
    seat = s.uniform(0.4, 0.46)
    count = max(1, round((w - 2 * arm) / 0.65))
    step = (w - 2 * arm) / count
    b.box((0, 0, seat * 0.42), (w / 2 - 0.02, d / 2 - 0.02, seat * 0.3), SOFA, dark)
    for k in range(count):
        x = (k - (count - 1) / 2) * step
        b.box((x, 0.08, seat * 0.86), (step / 2 - 0.012, d / 2 - 0.06, seat * 0.15), SOFA, cloth)
        b.box((x, -d / 2 + 0.24, (seat + h) / 2), (step / 2 - 0.012, 0.08, (h - seat) / 2), SOFA, cloth, tilt=0.2)
    b.box((0, -d / 2 + 0.08, h * 0.47), (w / 2 - 0.01, 0.08, h * 0.43), SOFA, dark)
    for x in (-1, 1):
        b.box((x * (w / 2 - arm / 2), 0, h * 0.38), (arm / 2, d / 2, h * 0.34), SOFA, cloth)
    if s.chance(0.5):
        cushion = b.material(fabric(s, any_colour(s, (0.3, 0.9), (0.4, 1.0))))
        x = s.choice((-1, 1)) * (w / 2 - arm - 0.2)
        b.ellipsoid((x, -d / 2 + 0.4, seat + 0.2), (0.2, 0.09, 0.18), OBJECTS, cushion)


def chair(b: Builder, s: Stream, w: float, d: float, h: float) -> None:
    """Seat, four legs or a swivel foot, and a back of one panel or of bars."""
    seat = s.uniform(0.42, 0.48)
    body = b.material(wood(s, board=0.4) if s.chance(0.5) else plain(s, any_colour(s, (0.2, 0.9), (0.2, 0.9))))
    soft = body if s.chance(0.4) else b.material(fabric(s, any_colour(s, (0.2, 0.9), (0.25, 0.9))))
    b.box((0, 0, seat - 0.025), (w / 2, d / 2, 0.03), CHAIR, soft)
    if s.chance(0.25):
        b.box((0, 0, seat / 2), (0.03, 0.03, seat / 2 - 0.03), CHAIR, body)
        b.box((0, 0, 0.04), (w * 0.45, 0.035, 0.035), CHAIR, body)
        b.box((0, 0, 0.04), (0.035, d * 0.45, 0.035), CHAIR, body)
    else:
        _legs(b, w, d, seat - 0.03, 0.022, CHAIR, body)
    middle, half = (seat + h) / 2, (h - seat) / 2
    lean = 0.12
    y = -d / 2 + 0.02 - half * math.sin(lean)
    if s.chance(0.6):
        b.box((0, y, middle + 0.08), (w / 2, 0.022, half - 0.06), CHAIR, soft, tilt=lean)
        for x in (-1, 1):
            b.box((x * (w / 2 - 0.03), y, middle), (0.02, 0.018, half - 0.01), CHAIR, body, tilt=lean)
    else:
        for x in (-1, 0, 1):
            b.box((x * (w / 2 - 0.025), y, middle), (0.028, 0.018, half), CHAIR, body, tilt=lean)
        b.box((0, y - half * 0.1, h - 0.07), (w / 2, 0.02, 0.07), CHAIR, body, tilt=lean)
    if s.chance(0.25):
        for x in (-1, 1):
            b.box((x * w / 2, 0, seat + 0.2), (0.025, d / 2, 0.02), CHAIR, body)
            b.box((x * w / 2, d / 2 - 0.05, seat + 0.09), (0.02, 0.02, 0.1), CHAIR, body)


def table(b: Builder, s: Stream, w: float, d: float, h: float) -> None:
    """Top on four legs or on a central foot, seldom with a cloth."""
    top = b.material(wood(s) if s.chance(0.65) else plain(s, colour(s.random(), 0.1, s.choice((0.15, 0.6, 0.95)))))
    foot = top if s.chance(0.5) else b.material(plain(s, colour(0.1, 0.1, s.uniform(0.1, 0.9))))
    thick = s.uniform(0.015, 0.035)
    b.box((0, 0, h - thick), (w / 2, d / 2, thick), TABLE, top)
    if s.chance(0.8):
        _legs(b, w * 0.95, d * 0.95, h - 2 * thick, s.uniform(0.02, 0.045), TABLE, foot)
    else:
        b.box((0, 0, h / 2), (0.06, 0.06, h / 2 - 2 * thick), TABLE, foot)
        b.box((0, 0, 0.03), (w * 0.3, d * 0.3, 0.03), TABLE, foot)


def desk(b: Builder, s: Stream, w: float, d: float, h: float) -> None:
    """A table with a side panel, a block of drawers and a modesty panel."""
    c = wood_colour(s) if s.chance(0.7) else colour(0.1, 0.05, s.uniform(0.5, 0.95))
    body = b.material(wood(s, c) if s.chance(0.6) else plain(s, c))
    front = b.material(cabinet_front(s, darker(c, 0.9), 1, s.integer(2, 4)))
    side = s.choice((-1, 1))
    b.box((0, 0, h - 0.02), (w / 2, d / 2, 0.02), TABLE, body)
    b.box((side * (w / 2 - 0.02), 0, h / 2 - 0.02), (0.02, d / 2 - 0.03, h / 2 - 0.02), TABLE, body)
    b.box((-side * (w / 2 - 0.2), 0, h / 2), (0.19, d / 2 - 0.04, h / 2 - 0.04), TABLE, body, front)
    b.box((0, -d / 2 + 0.05, h * 0.65), (w / 2 - 0.03, 0.012, h * 0.3), TABLE, body)


def cabinet(b: Builder, s: Stream, w: float, d: float, h: float) -> None:
    """Wardrobes, dressers and night stands: a body with doors or drawers."""
    c = wood_colour(s) if s.chance(0.6) else any_colour(s, (0.0, 0.35), (0.4, 0.97))
    body = b.material(plain(s, darker(c, 0.92)))
    columns = max(1, round(w / s.uniform(0.4, 0.6)))
    rows = 1 if h > 1.4 or s.chance(0.3) else max(2, round(h / 0.25))
    front = b.material(cabinet_front(s, c, columns, rows))
    b.box((0, 0, h / 2 + 0.03), (w / 2, d / 2, h / 2 - 0.03), FURNITURE, body, front)
    if s.chance(0.5):
        b.box((0, 0.01, h - 0.012), (w / 2 + 0.015, d / 2 + 0.015, 0.018), FURNITURE, body)
    b.box((0, -0.02, 0.04), (w / 2 - 0.04, d / 2 - 0.04, 0.04), FURNITURE, body)


def bookcase(b: Builder, s: Stream, w: float, d: float, h: float) -> None:
    """Two sides, a back, shelves, and rows of books of several heights (class books)."""
    body = b.material(wood(s, board=0.5) if s.chance(0.6) else plain(s, colour(0.1, 0.05, s.choice((0.2, 0.9)))))
    t = 0.014
    levels = max(2, round(h / s.uniform(0.32, 0.42)))
    gap = (h - 0.06) / levels
    for x in (-1, 1):
        b.box((x * (w / 2 - t), 0, h / 2), (t, d / 2, h / 2), FURNITURE, body)
    b.box((0, -d / 2 + 0.01, h / 2), (w / 2 - t, 0.008, h / 2), FURNITURE, body)
    for level in range(levels + 1):
        b.box((0, 0, 0.05 + level * gap - t), (w / 2 - t, d / 2 - 0.004, t), FURNITURE, body)
    for level in range(levels):
        low = 0.05 + level * gap
        _book_row(b, s, -w / 2 + 2.5 * t, w / 2 - 2.5 * t, low, gap - 2.2 * t, d)


def _book_row(
    b: Builder, s: Stream, left: float, right: float, low: float, room: float, d: float, y0: float = 0.0
) -> None:
    """Books from left to right on a board about y0, d deep, at height ``low`` with ``room`` above; some gaps."""
    material = b.material(spines(s))
    x = left + (s.uniform(0.0, 0.1) if s.chance(0.4) else 0.0)
    while x < right - 0.08:
        run = min(s.uniform(0.18, 0.5), right - x)
        tall = room * s.uniform(0.68, 0.95)
        deep = d * s.uniform(0.34, 0.42)
        y = y0 + d / 2 - 0.02 - deep - s.uniform(0.0, 0.03)
        if s.chance(0.86):
            b.box((x + run / 2, y, low + tall / 2), (run / 2 - 0.003, deep, tall / 2), BOOKS, material)
        x += run


def wall_shelf(b: Builder, s: Stream, w: float, d: float, h: float) -> None:
    """A board on the wall with a row of books on it; ``h`` is the height of the books' room."""
    board = b.material(wood(s))
    b.box((0, d / 2, 0.015), (w / 2, d / 2, 0.015), FURNITURE, board)
    _book_row(b, s, -w / 2 + 0.02, w / 2 - 0.02, 0.03, h, d, d / 2)


def television(b: Builder, s: Stream, w: float, d: float, h: float) -> None:
    """A flat screen; with depth it stands on a foot, without it hangs."""
    black = b.material(plain(s, colour(0.0, 0.0, s.uniform(0.08, 0.2)), 0.03))
    face = b.material(screen(s))
    lift = 0.08 if d > 0.1 else 0.0
    b.box((0, 0, lift + h / 2), (w / 2, 0.025, h / 2), TV, black, face)
    if lift:
        b.box((0, -0.01, lift / 2), (0.04, 0.015, lift / 2 + 0.01), TV, black)
        b.box((0, 0, 0.008), (w * 0.22, 0.1, 0.008), TV, black)


def book_stack(b: Builder, s: Stream, w: float, d: float, h: float) -> None:
    """Books lying on each other or standing between nothing."""
    if s.chance(0.5):
        b.box((0, 0, h / 2), (w / 2, d / 2, h / 2), BOOKS, b.material(spines(s)))
        return
    z = 0.0
    for _ in range(s.integer(2, 5)):
        t = s.uniform(0.012, 0.03)
        cover = b.material(plain(s, any_colour(s, (0.2, 0.9), (0.2, 0.9)), 0.05))
        wide, deep = s.uniform(0.09, 0.15), s.uniform(0.12, 0.17)
        b.box((s.uniform(-0.02, 0.02), s.uniform(-0.02, 0.02), z + t), (wide, deep, t), BOOKS, cover)
        z += 2 * t


def vase(b: Builder, s: Stream, w: float, d: float, h: float) -> None:
    """A round vessel, at times with a plant."""
    pot = b.material(plain(s, any_colour(s, (0.1, 0.9), (0.3, 1.0)), 0.1))
    b.ellipsoid((0, 0, h * 0.3), (w / 2, w / 2, h * 0.3), OBJECTS, pot)
    if s.chance(0.6):
        leaf = b.material(fabric(s, colour(s.uniform(0.22, 0.4), s.uniform(0.4, 0.9), s.uniform(0.3, 0.7))))
        for _ in range(3):
            where = (s.uniform(-0.3, 0.3) * w, s.uniform(-0.3, 0.3) * w, h * s.uniform(0.6, 0.95))
            b.ellipsoid(where, (w * 0.45, w * 0.45, h * s.uniform(0.15, 0.3)), OBJECTS, leaf)
    else:
        b.ellipsoid((0, 0, h * 0.68), (w * 0.2, w * 0.2, h * 0.32), OBJECTS, pot)


def parcel(b: Builder, s: Stream, w: float, d: float, h: float) -> None:
    """A cardboard box, a bin or a toy block."""
    c = colour(0.09, 0.45, 0.7) if s.chance(0.4) else any_colour(s, (0.2, 0.95), (0.3, 1.0))
    b.box((0, 0, h / 2), (w / 2, d / 2, h / 2), OBJECTS, b.material(plain(s, c)))


def ball(b: Builder, s: Stream, w: float, d: float, h: float) -> None:
    """A ball or a bean bag."""
    skin = b.material(fabric(s, any_colour(s, (0.3, 1.0), (0.3, 1.0))))
    b.ellipsoid((0, 0, h / 2), (w / 2, w / 2, h / 2), OBJECTS, skin)


def lamp(b: Builder, s: Stream, w: float, d: float, h: float) -> None:
    """Foot, pole and a glowing shade, for floors and tables."""
    metal = b.material(plain(s, colour(0.1, 0.1, s.uniform(0.1, 0.9))))
    shade = plain(s, any_colour(s, (0.0, 0.4), (0.8, 1.0)), 0.05)
    shade.glow = s.uniform(0.3, 1.2)
    b.box((0, 0, 0.012), (w * 0.3, w * 0.3, 0.012), OBJECTS, metal)
    b.box((0, 0, h * 0.42), (0.012, 0.012, h * 0.42), OBJECTS, metal)
    tall = min(0.16, h * 0.22)
    if s.chance(0.5):
        b.ellipsoid((0, 0, h - tall), (w / 2, w / 2, tall), OBJECTS, b.material(shade))
    else:
        b.box((0, 0, h - tall), (w * 0.4, w * 0.4, tall), OBJECTS, b.material(shade))


def person(b: Builder, s: Stream, seat: float | None = None) -> None:
    """A person of ellipsoids, facing local +y.

    Args:
        b: The builder, which has begun the person.
        s: The stream.
        seat: Height of the seat for one who sits; None stands or walks.
    """
    k = s.uniform(0.82, 1.08)
    wide = s.uniform(0.9, 1.2)
    skin_tone = colour(s.uniform(0.04, 0.075), s.uniform(0.3, 0.65), s.uniform(0.35, 0.98))
    skin = b.material(plain(s, skin_tone, 0.04))
    shirt = b.material(fabric(s, any_colour(s, (0.1, 0.95), (0.2, 1.0))))
    trousers = b.material(fabric(s, any_colour(s, (0.1, 0.7), (0.1, 0.6))))
    shoes = b.material(plain(s, any_colour(s, (0.0, 0.6), (0.05, 0.6))))
    hair = b.material(plain(s, colour(s.uniform(0.03, 0.12), s.uniform(0.2, 0.8), s.uniform(0.05, 0.65)), 0.2))
    sleeve = shirt if s.chance(0.5) else skin

    hip = (seat + 0.1) if seat is not None else 0.93 * k
    lean = s.uniform(-0.05, 0.15)

    def up(x: float, y: float, z: float) -> tuple[float, float, float]:
        """A point of the upper body, z above the hips, leaning forward."""
        return x * k, y * k + lean * z * k, hip + z * k

    b.ellipsoid(up(0, 0, 0.02), (0.165 * k * wide, 0.12 * k * wide, 0.14 * k), OBJECTS, trousers, TORSO)
    b.limb(up(0, 0, 0.08), up(0, 0.01, 0.47), 0.165 * k * wide, OBJECTS, shirt, TORSO)
    b.limb(up(-0.13 * wide, 0, 0.46), up(0.13 * wide, 0, 0.46), 0.085 * k, OBJECTS, shirt, TORSO)
    b.limb(up(0, 0.01, 0.5), up(0, 0.02, 0.6), 0.05 * k, OBJECTS, skin, HEAD)
    b.ellipsoid(up(0, 0.03, 0.69), (0.078 * k, 0.098 * k, 0.118 * k), OBJECTS, skin, HEAD)
    b.ellipsoid(up(0, 0.005, 0.72), (0.086 * k, 0.098 * k, 0.105 * k), OBJECTS, hair, HEAD)
    stride = s.uniform(-0.5, 0.5) if s.chance(0.5) else s.uniform(-0.1, 0.1)
    for side in (-1, 1):
        if s.chance(0.2):
            lift = s.uniform(1.0, 2.4)  # reaching out or up
        else:
            lift = s.uniform(0.5, 0.9) if seat is not None else -side * stride * 0.8 + s.uniform(-0.1, 0.2)
        spread, bend = s.uniform(0.05, 0.35), s.uniform(0.1, 1.2)
        sx, sy, sz = up(side * 0.2 * wide, 0, 0.46)
        ex = sx + side * math.sin(spread) * 0.29 * k
        ey, ez = sy + math.sin(lift) * 0.29 * k, sz - math.cos(lift) * math.cos(spread) * 0.29 * k
        wx = ex + side * math.sin(spread * 0.4) * 0.33 * k
        wy, wz = ey + math.sin(lift + bend) * 0.33 * k, ez - math.cos(lift + bend) * 0.33 * k
        b.limb((sx, sy, sz), (ex, ey, ez), 0.056 * k * wide, OBJECTS, shirt, UPPER_ARM)
        b.limb((ex, ey, ez), (wx, wy, wz), 0.042 * k * wide, OBJECTS, sleeve, LOWER_ARM)
        b.ellipsoid((wx, wy, wz), (0.045 * k, 0.045 * k, 0.06 * k), OBJECTS, skin, LOWER_ARM)
        swing = math.pi / 2 - 0.05 if seat is not None else side * stride
        hx = side * 0.095 * k * wide
        kx, ky, kz = hx + side * s.uniform(0.0, 0.06), math.sin(swing) * 0.43 * k, hip - math.cos(swing) * 0.43 * k
        shin = s.uniform(-0.25, 0.15) if seat is not None else swing - s.uniform(0.05, 0.35)
        length = (kz - 0.06) / math.cos(shin) if seat is not None else 0.42 * k
        ay, az = ky + math.sin(shin) * length, max(kz - math.cos(shin) * length, 0.06)
        b.limb((hx, 0, hip), (kx, ky, kz), 0.085 * k * wide, OBJECTS, trousers, UPPER_LEG)
        b.limb((kx, ky, kz), (kx, ay, az), 0.06 * k * wide, OBJECTS, trousers, LOWER_LEG)
        b.ellipsoid((kx, ay + 0.06 * k, az - 0.01), (0.05 * k, 0.13 * k, 0.05 * k), OBJECTS, shoes, LOWER_LEG)


PIECES = {
    'bed': Piece((0.95, 1.8), (1.9, 2.15), (0.42, 0.6), bed),
    'sofa': Piece((1.5, 2.4), (0.8, 1.0), (0.72, 0.95), sofa),
    'armchair': Piece((0.8, 1.0), (0.8, 0.95), (0.75, 1.0), sofa),
    'chair': Piece((0.4, 0.52), (0.4, 0.5), (0.8, 1.1), chair),
    'dining': Piece((1.0, 1.9), (0.75, 1.0), (0.7, 0.78), table, True),
    'coffee': Piece((0.7, 1.2), (0.5, 0.7), (0.35, 0.5), table, True),
    'desk': Piece((1.0, 1.6), (0.55, 0.75), (0.7, 0.78), desk, True),
    'wardrobe': Piece((0.9, 1.9), (0.5, 0.65), (1.7, 2.2), cabinet),
    'dresser': Piece((0.8, 1.6), (0.4, 0.55), (0.7, 1.2), cabinet, True),
    'stand': Piece((0.4, 0.55), (0.35, 0.45), (0.45, 0.65), cabinet, True),
    'media': Piece((1.2, 1.9), (0.35, 0.5), (0.35, 0.6), cabinet, True),
    'bookcase': Piece((0.8, 2.0), (0.28, 0.36), (1.2, 2.2), bookcase),
    'parcel': Piece((0.2, 0.5), (0.2, 0.5), (0.2, 0.5), parcel),
    'ball': Piece((0.25, 0.7), (0.25, 0.7), (0.25, 0.6), ball),
    'plant': Piece((0.3, 0.55), (0.3, 0.55), (0.7, 1.5), vase),
    'floor lamp': Piece((0.35, 0.5), (0.35, 0.5), (1.3, 1.7), lamp),
}
"""Everything that stands on the floor by itself."""

SMALL = {
    'books': Piece((0.2, 0.4), (0.2, 0.26), (0.2, 0.28), book_stack),
    'vase': Piece((0.12, 0.25), (0.12, 0.25), (0.2, 0.45), vase),
    'parcel': Piece((0.1, 0.3), (0.1, 0.25), (0.08, 0.25), parcel),
    'ball': Piece((0.1, 0.2), (0.1, 0.2), (0.1, 0.2), ball),
    'lamp': Piece((0.22, 0.35), (0.22, 0.35), (0.35, 0.6), lamp),
}
"""What stands on other things."""
