"""Plans a furnished room: shell, openings, furniture by the kind of room, and what hangs on walls and ceiling."""

from __future__ import annotations

import math

from mtlbox.datasets.room_builder import (
    CEILING,
    FLOOR,
    OBJECTS,
    PICTURE,
    WALL,
    WINDOW,
    Builder,
    Stream,
    Thing,
    any_colour,
    cabinet_front,
    colour,
    darker,
    fabric,
    floor_material,
    painting,
    pane,
    plain,
    wall_material,
    wood_colour,
)
from mtlbox.datasets.room_furniture import PIECES, SMALL, television, wall_shelf

Footprint = tuple[float, float, float, float, float, float]
"""Centre x, y, cosine and sine of the yaw, half width, half depth."""


def _overlap(a: Footprint, b: Footprint, gap: float) -> bool:
    """Whether two turned rectangles come closer than about ``gap`` (separating axes)."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    for c, s in ((a[2], a[3]), (-a[3], a[2]), (b[2], b[3]), (-b[3], b[2])):
        reach = gap
        for f in (a, b):
            reach += abs(c * f[2] + s * f[3]) * f[4] + abs(-c * f[3] + s * f[2]) * f[5]
        if abs(c * dx + s * dy) >= reach:
            return False
    return True


def _outside(f: Footprint, x: float, y: float) -> float:
    """Distance of a point from a footprint, 0 inside."""
    dx, dy = x - f[0], y - f[1]
    u, v = abs(f[2] * dx + f[3] * dy) - f[4], abs(f[2] * dy - f[3] * dx) - f[5]
    return math.hypot(max(u, 0.0), max(v, 0.0))


class Layout:
    """A room while it is being furnished.

    Args:
        s: The stream that all decisions are drawn from.
    """

    def __init__(self, s: Stream) -> None:
        self.s = s
        self.b = Builder()
        self.length, self.width, self.height = s.uniform(3.2, 9.0), s.uniform(3.0, 7.0), s.uniform(2.3, 3.0)
        self.walls: list[list[tuple[float, float, float, float]]] = [[], [], [], []]
        self.seats: list[tuple[float, float, float, float]] = []  # x, y, yaw, height of the seat
        self.windows: list[tuple[float, float, float, float]] = []  # x, y, z, yaw
        self.lamps: list[tuple[float, float, float]] = []
        self.blocked: list[Footprint] = []

    # Walls are numbered by the yaw of their inward normal: 0 faces +y, 1 faces -x, 2 faces -y, 3 faces +x.
    def wall(self, k: int, along: float, away: float = 0.0) -> tuple[float, float, float]:
        """World x, y and yaw of a point ``along`` a wall from its middle and ``away`` from it."""
        lx, ly = self.length, self.width
        yaw = k * math.pi / 2
        x = (lx / 2 + along, lx - away, lx / 2 - along, away)[k]
        y = (away, ly / 2 + along, ly - away, ly / 2 - along)[k]
        return x, y, yaw

    def span(self, k: int) -> float:
        """Length of wall k."""
        return self.length if k % 2 == 0 else self.width

    def free(self, f: Footprint, gap: float = 0.04) -> bool:
        """Whether a footprint lies inside the room and clear of the others."""
        ex = abs(f[2]) * f[4] + abs(f[3]) * f[5]
        ey = abs(f[3]) * f[4] + abs(f[2]) * f[5]
        if f[0] - ex < 0 or f[0] + ex > self.length or f[1] - ey < 0 or f[1] + ey > self.width:
            return False
        return not any(_overlap(f, other, gap) for other in self.blocked)

    def room(self) -> None:
        """Shell, columns or a boxed-in corner, skirting; walls are instances of their own."""
        s, b = self.s, self.b
        half = (self.length / 2, self.width / 2, self.height / 2)
        b.begin(Thing(False), half[0], half[1], 0.0, half[2])
        floor = b.material(floor_material(s))
        ceiling = b.material(plain(s, colour(s.random(), s.uniform(0.0, 0.08), s.uniform(0.82, 1.0)), 0.05))
        wall = b.material(wall_material(s))
        accent = b.material(wall_material(s)) if s.chance(0.4) else wall
        faces = [wall, wall, wall, wall, floor, ceiling]
        faces[s.integer(0, 3)] = accent
        b.shell(half, (WALL, WALL, WALL, WALL, FLOOR, CEILING), faces)
        if s.chance(0.35):
            k = s.integer(0, 3)
            w, d = s.uniform(0.3, 1.4), s.uniform(0.2, 0.9)
            x, y, yaw = self.wall(k, s.choice((-1, 1)) * (self.span(k) - w) / 2, d / 2)
            b.begin(Thing(False), x, y, yaw)
            b.box((0, 0, self.height / 2), (w / 2, d / 2, self.height / 2), WALL, wall)
            self.blocked.append((x, y, math.cos(yaw), math.sin(yaw), w / 2, d / 2))
        if s.chance(0.6):
            tall = s.uniform(0.04, 0.08)
            skirt = b.material(plain(s, wood_colour(s) if s.chance(0.4) else (0.85, 0.85, 0.83)))
            for k in range(4):
                x, y, yaw = self.wall(k, 0.0, 0.006)
                b.resume((2, 1, 3, 0)[k], x, y, yaw)
                b.box((0, 0, tall), (self.span(k) / 2, 0.006, tall), WALL, skirt)

    def claim(self, k: int, width: float, low: float, high: float, tries: int = 6) -> float | None:
        """Find room for ``width`` between two heights on wall k; returns its place along the wall."""
        slack = self.span(k) - width - 0.1
        for _ in range(tries):
            along = self.s.uniform(-0.5, 0.5) * slack
            if slack < 0:
                return None
            taken = any(
                abs(along - at) < (width + wide) / 2 + 0.05 and low < top and high > bottom
                for at, wide, bottom, top in self.walls[k]
            )
            if not taken:
                self.walls[k].append((along, width, low, high))
                return along
        return None

    def openings(self) -> None:
        """Windows with frames and at times curtains, and a door."""
        s, b = self.s, self.b
        for _ in range(s.choice((0, 1, 2, 3, 4), (1, 3, 3, 2, 1))):
            k, w = s.integer(0, 3), s.uniform(0.8, 2.2)
            sill = s.choice((0.1, 0.8, 1.0)) + s.uniform(-0.1, 0.1)
            top = min(self.height - 0.15, sill + s.uniform(1.1, 2.1))
            along = self.claim(k, w + 0.3, sill, top)
            if along is None:
                continue
            x, y, yaw = self.wall(k, along)
            glass = b.material(pane(s, max(1, round(w / 0.7)), s.integer(1, 2)))
            frame = b.material(plain(s, b.materials[glass].b))
            middle, half = (sill + top) / 2, (top - sill) / 2
            b.begin(Thing(False), x, y, yaw)
            b.box((0, 0, middle), (w / 2, 0.02, half), WINDOW, frame, glass)
            b.box((0, 0.04, sill - 0.02), (w / 2 + 0.06, 0.09, 0.02), WINDOW, frame)
            if s.chance(0.45):
                cloth = fabric(s, any_colour(s, (0.05, 0.7), (0.4, 1.0)))
                cloth.fv *= 0.1
                cloth_number = b.material(cloth)
                for side in (-1, 1):
                    wide = s.uniform(0.1, 0.28) * w
                    low = 0.05 if s.chance(0.5) else sill - 0.1
                    at = side * (w / 2 + 0.1 - wide / 2)
                    b.box(
                        (at, 0.1, (low + top + 0.1) / 2), (wide / 2, 0.03, (top + 0.1 - low) / 2), WINDOW, cloth_number
                    )
            self.windows.append((x, y, middle, yaw))
        if s.chance(0.65):
            k, w, h = s.integer(0, 3), s.uniform(0.75, 0.95), s.uniform(1.95, 2.1)
            along = self.claim(k, w + 0.16, 0.0, h)
            if along is not None:
                x, y, yaw = self.wall(k, along)
                c = wood_colour(s) if s.chance(0.5) else colour(s.random(), s.uniform(0.0, 0.3), s.uniform(0.6, 0.97))
                leaf = b.material(cabinet_front(s, c, 1, s.integer(1, 3)))
                frame = b.material(plain(s, darker(c, 0.85)))
                b.begin(Thing(False), x, y, yaw)
                b.box((0, 0.01, h / 2), (w / 2, 0.025, h / 2), WALL, frame, leaf)
                for side in (-1, 1):
                    b.box((side * (w / 2 + 0.03), 0.02, h / 2), (0.035, 0.035, h / 2), WALL, frame)
                b.box((0, 0.02, h + 0.03), (w / 2 + 0.065, 0.035, 0.035), WALL, frame)
                knob = b.material(plain(s, colour(0.12, 0.4, s.uniform(0.2, 0.9))))
                b.ellipsoid((s.choice((-1, 1)) * (w / 2 - 0.07), 0.07, 1.0), (0.03, 0.035, 0.03), WALL, knob)
                # Nothing stands in the door's way.
                self.blocked.append((*self.wall(k, along, 0.3)[:2], math.cos(yaw), math.sin(yaw), w / 2, 0.3))

    def stand(self, name: str, x: float, y: float, yaw: float, size: tuple[float, float, float]) -> bool:
        """Put a piece of furniture down where it has room."""
        piece, s, b = PIECES[name], self.s, self.b
        w, d, h = size
        f = (x, y, math.cos(yaw), math.sin(yaw), w / 2, d / 2)
        if not self.free(f):
            return False
        b.begin(Thing(True, f), x, y, yaw)
        piece.make(b, s, w, d, h)
        self.blocked.append(f)
        if name in ('chair', 'sofa', 'armchair'):
            for seat in range(max(1, round(w / 0.8)) if name == 'sofa' else 1):
                off = 0.0 if name != 'sofa' else (seat + 0.5) * 0.7 - w / 2 + 0.15
                self.seats.append((x + f[2] * off, y + f[3] * off, yaw, 0.46 if name == 'chair' else 0.47))
        if name == 'floor lamp':
            self.lamps.append((x, y, h + 0.1))
        if name == 'media' and s.chance(0.9):
            self.tv_on(x, y, yaw, h, w)
        elif piece.surface:
            self.clutter(x, y, yaw, w, d, h)
        return True

    def tv_on(self, x: float, y: float, yaw: float, z: float, w: float) -> None:
        """A television on top of a piece."""
        s = self.s
        wide = min(w, s.uniform(0.95, 1.5))
        self.b.begin(Thing(True), x, y, yaw, z)
        television(self.b, s, wide, 0.3, wide * 0.57)

    def clutter(self, x: float, y: float, yaw: float, w: float, d: float, z: float) -> None:
        """Small things on a top, side by side."""
        s = self.s
        at = -w / 2 + s.uniform(0.02, 0.3)
        cos, sin = math.cos(yaw), math.sin(yaw)
        while at < w / 2 - 0.2:
            name = s.choice(('books', 'vase', 'parcel', 'ball', 'lamp'), (5, 2, 2, 1, 1))
            piece = SMALL[name]
            size = (s.uniform(*piece.width), s.uniform(*piece.depth), s.uniform(*piece.height))
            if at + size[0] > w / 2:
                break
            u, v = at + size[0] / 2, s.uniform(-0.5, 0.5) * max(0.0, d - size[1] - 0.05)
            if s.chance(0.8):
                self.b.begin(Thing(True), x + cos * u - sin * v, y + sin * u + cos * v, yaw + s.uniform(-0.3, 0.3), z)
                piece.make(self.b, s, *size)
            at += size[0] + s.uniform(0.05, 0.5)

    def size(self, name: str) -> tuple[float, float, float]:
        """Draw width, depth and height of a piece."""
        piece, s = PIECES[name], self.s
        return s.uniform(*piece.width), s.uniform(*piece.depth), min(s.uniform(*piece.height), self.height - 0.1)

    def at_wall(self, name: str, tries: int = 5) -> tuple[float, float, float] | None:
        """Put a piece with its back to some wall, clear of doors, and of windows if it is tall."""
        s = self.s
        for _ in range(tries):
            size = self.size(name)
            k = s.integer(0, 3)
            along = s.uniform(-0.5, 0.5) * (self.span(k) - size[0] - 0.05)
            clear = not any(
                abs(along - at) < (size[0] + wide) / 2 and size[2] > bottom + 0.15
                for at, wide, bottom, _ in self.walls[k]
            )
            if not clear and s.chance(0.85):
                continue
            x, y, yaw = self.wall(k, along, size[1] / 2 + s.uniform(0.08, 0.14))
            if self.stand(name, x, y, yaw + s.choice((0.0, s.uniform(-0.04, 0.04))), size):
                self.walls[k].append((along, size[0], 0.0, size[2]))
                return x, y, yaw
        return None

    def anywhere(self, name: str, tries: int = 4) -> tuple[float, float, float] | None:
        """Put a piece somewhere on the floor, turned at will."""
        s = self.s
        for _ in range(tries):
            size = self.size(name)
            x, y, yaw = s.uniform(0.3, self.length - 0.3), s.uniform(0.3, self.width - 0.3), s.uniform(0.0, 2 * math.pi)
            if self.stand(name, x, y, yaw, size):
                return x, y, yaw
        return None

    def around(self, x: float, y: float, yaw: float, radius: float, names: tuple[str, ...]) -> None:
        """Set pieces around a point, facing it more or less."""
        s = self.s
        for name in names:
            angle = yaw + s.uniform(0.0, 2 * math.pi)
            size = self.size(name)
            r = radius + size[1] / 2 + s.uniform(0.0, 0.25)
            turn = angle + math.pi / 2 + s.uniform(-0.4, 0.4)
            self.stand(name, x + r * math.cos(angle), y + r * math.sin(angle), turn, size)

    def furnish(self) -> None:
        """Choose furniture by the kind of room, then odds and ends."""
        s = self.s
        kind = s.choice(('bedroom', 'living', 'dining', 'office', 'mixed'), (3.4, 3.2, 2, 2, 3))
        if kind == 'bedroom':
            for name in ('bed', *(('bed',) if s.chance(0.3) else ()), 'stand', 'wardrobe', 'chair', 'bookcase'):
                self.at_wall(name)
            if s.chance(0.6):
                self.at_wall(s.choice(('desk', 'dresser', 'media', 'armchair')))
        elif kind == 'living':
            for name in ('sofa', 'media'):
                spot = self.at_wall(name)
                if name == 'sofa' and spot is not None:
                    x, y, yaw = spot
                    r = s.uniform(1.0, 1.3)
                    self.stand('coffee', x - r * math.sin(yaw), y + r * math.cos(yaw), yaw, self.size('coffee'))
            for name in ('bookcase', s.choice(('sofa', 'armchair', 'dresser'))):
                self.at_wall(name)
            self.anywhere('armchair')
        elif kind == 'dining':
            spot = self.anywhere('dining', 8)
            if spot is not None:
                self.around(*spot, 0.55, ('chair',) * s.integer(3, 7))
            for name in ('dresser', s.choice(('bookcase', 'wardrobe', 'media')), 'chair'):
                self.at_wall(name)
        elif kind == 'office':
            for _ in range(s.integer(1, 2)):
                spot = self.at_wall('desk')
                if spot is not None:
                    x, y, yaw = spot
                    r = s.uniform(0.7, 0.95)
                    turn = yaw + math.pi + s.uniform(-0.6, 0.6)
                    self.stand('chair', x - r * math.sin(yaw), y + r * math.cos(yaw), turn, self.size('chair'))
            for name in ('bookcase', 'bookcase', s.choice(('sofa', 'armchair', 'media', 'dresser'))):
                self.at_wall(name)
        else:
            for _ in range(s.integer(4, 7)):
                self.at_wall(s.choice(('bed', 'sofa', 'bookcase', 'wardrobe', 'desk', 'media', 'dresser', 'chair')))
            self.anywhere(s.choice(('dining', 'coffee', 'armchair')))
        for _ in range(s.integer(0, 3)):
            self.at_wall(s.choice(('dresser', 'bookcase', 'wardrobe', 'chair', 'armchair', 'desk'), (2, 1, 2, 3, 1, 1)))
        for _ in range(s.integer(1, 6)):
            self.anywhere(s.choice(('parcel', 'ball', 'plant', 'floor lamp', 'chair', 'stand'), (3, 2, 2, 1, 4, 1)), 2)

    def hang(self) -> None:
        """Pictures, televisions and bookshelves on the walls, rugs and ceiling lamps."""
        s, b = self.s, self.b
        for _ in range(s.integer(6, 14)):
            k = s.integer(0, 3)
            name = s.choice(('picture', 'tv', 'shelf'), (7, 1.6, 2))
            if name == 'picture':
                w, h = s.uniform(0.35, 1.5), s.uniform(0.35, 1.1)
            elif name == 'tv':
                w = s.uniform(0.9, 1.5)
                h = w * 0.57
            else:
                w, h = s.uniform(0.7, 1.5), s.uniform(0.24, 0.34)
            low = s.uniform(1.0, 1.7)
            if low + h > self.height - 0.1:
                continue
            along = self.claim(k, w, low, low + h, 3)
            if along is None:
                continue
            x, y, yaw = self.wall(k, along)
            b.begin(Thing(name != 'picture'), x, y, yaw, low)
            if name == 'picture':
                front = b.material(painting(s))
                side = b.material(plain(s, b.materials[front].b))
                b.box((0, 0.02, h / 2), (w / 2, 0.02, h / 2), PICTURE, side, front)
            elif name == 'tv':
                b.resume(len(b.things) - 1, x - 0.06 * math.sin(yaw), y + 0.06 * math.cos(yaw), yaw, low)
                television(b, s, w, 0.0, h)
            else:
                wall_shelf(b, s, w, s.uniform(0.2, 0.27), h)
        if s.chance(0.4):
            rug = b.material(fabric(s, any_colour(s, (0.1, 0.7), (0.25, 0.9))))
            x, y = s.uniform(0.3, 0.7) * self.length, s.uniform(0.3, 0.7) * self.width
            b.begin(Thing(False), x, y, s.choice((0.0, s.random())))
            b.box((0, 0, 0.004), (s.uniform(0.6, 1.3), s.uniform(0.5, 0.9), 0.004), FLOOR, rug)
        for _ in range(s.integer(1, 2)):
            x, y = s.uniform(0.2, 0.8) * self.length, s.uniform(0.2, 0.8) * self.width
            drop = s.choice((0.06, s.uniform(0.3, 0.6)))
            shade = plain(s, (0.9, 0.88, 0.8), 0.02)
            shade.glow = s.uniform(0.6, 1.6)
            glass = b.material(shade)
            b.begin(Thing(True), x, y, 0.0, self.height - drop)
            r = s.uniform(0.13, 0.28)
            b.ellipsoid((0, 0, 0), (r, r, min(r, drop) * 0.8), OBJECTS, glass)
            if drop > 0.1:
                b.box((0, 0, drop / 2), (0.008, 0.008, drop / 2), OBJECTS, glass)
            self.lamps.append((x, y, self.height - drop - 0.3))
