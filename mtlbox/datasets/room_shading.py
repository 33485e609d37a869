"""Procedural textures and light for the ray-caster's buffers: from depth and surfaces to an RGB picture.

Light is Lambert's law with a linear ambient term, lamps and windows with falloff, a weak light at the camera, darkened
corners and contact shadows, then haze, exposure, colour temperature, gamma, a trace of blur and sensor noise. All of it
is computed in slices of the picture that fit the processor's cache.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mtlbox.datasets.raycast import Camera, Hits, Image, Ints, Shapes

PLAIN, CHECKER, STRIPES, NOISE, PLANKS, TILES, SPINES, PAINTING, PANE, PANELS, SCREEN = range(11)
"""Kinds of texture."""

_NOISE = 256
_SLICE = 1 << 15


@dataclass
class Material:
    """How a surface looks.

    Args:
        texture: Kind of texture.
        a: Main albedo, linear RGB.
        b: Second albedo: pattern, grout, frame, mullion.
        fu: Texture cells per metre along the surface's first axis.
        fv: The same along the second one, which is vertical on upright faces.
        p: Free parameter of the texture (border width in metres, share of a stripe, brick offset).
        grain: Strength of the fine irregularity that every real surface has.
        glow: Light the surface sends out by itself.
        seed: Offset in the noise.
    """

    texture: int
    a: tuple[float, float, float]
    b: tuple[float, float, float] = (0.0, 0.0, 0.0)
    fu: float = 1.0
    fv: float = 1.0
    p: float = 0.0
    grain: float = 0.1
    glow: float = 0.0
    seed: float = 0.0


@dataclass
class Light:
    """A lamp, or with ``lobe`` 1 a window that shines along ``axis``.

    Args:
        position: (3,) in the world.
        colour: Linear RGB times brightness.
        reach: Distance in metres at which half the light is left.
        lobe: 0 shines everywhere, 1 with the cosine to ``axis``.
        axis: (3,) unit vector in the world.
    """

    position: tuple[float, float, float]
    colour: tuple[float, float, float]
    reach: float
    lobe: float = 0.0
    axis: tuple[float, float, float] = (0.0, 0.0, -1.0)


@dataclass
class Lighting:
    """All that turns albedo into pixels.

    Args:
        lights: Lamps and windows.
        ambient: Linear RGB that comes from everywhere.
        lean: (3,) world vector: a surface that looks along it gets that much more of the ambient light.
        flash: Brightness of the light at the camera.
        haze: Linear RGB of the haze.
        haze_length: Depth in metres at which 63 % of the light is lost to the haze.
        corner: Darkening of the room's corners, 0 to 1.
        exposure: Brightness to which the picture's mean is brought.
        balance: RGB factors of the colour temperature.
        blur: Share of the neighbours in a pixel, 0 to 0.5.
        noise: Standard deviation of the sensor noise in 8-bit steps.
        contacts: (K, 6) centre x, y, cosine and sine of the yaw, half width, half depth of what stands on the floor.
    """

    lights: list[Light]
    ambient: tuple[float, float, float]
    lean: tuple[float, float, float]
    flash: float
    haze: tuple[float, float, float]
    haze_length: float
    corner: float
    exposure: float
    balance: tuple[float, float, float]
    blur: float
    noise: float
    contacts: list[tuple[float, float, float, float, float, float]] = field(default_factory=list)


@functools.cache
def _noise_table() -> Image:
    """Frozen uniform numbers (257 * 257,), a tile of 256 that wraps around."""
    raw = np.random.Philox(key=[0x6E6F697365, 1]).random_raw(_NOISE * _NOISE)
    table = ((raw >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)).reshape(_NOISE, _NOISE)
    table = np.ascontiguousarray(np.pad(table, ((0, 1), (0, 1)), mode='wrap').ravel())
    table.flags.writeable = False
    return table


def _cell(i: Image, j: Image) -> Image:
    """A random number for the cell of whole-numbered floats (i, j)."""
    at = (j.astype(np.int32) & (_NOISE - 1)) * (_NOISE + 1) + (i.astype(np.int32) & (_NOISE - 1))
    return np.take(_noise_table(), at)


def _smooth(u: Image, v: Image) -> Image:
    """Value noise: random numbers at whole (u, v), interpolated between."""
    table = _noise_table()
    i, j = np.floor(u), np.floor(v)
    a, b = u - i, v - j
    at = (j.astype(np.int32) & (_NOISE - 1)) * (_NOISE + 1) + (i.astype(np.int32) & (_NOISE - 1))
    low, high = np.take(table, at), np.take(table, at + (_NOISE + 1))
    low += a * (np.take(table, at + 1) - low)
    high += a * (np.take(table, at + (_NOISE + 2)) - high)
    return low + b * (high - low)


def _wave(x: Image) -> Image:
    """Triangle between 0 at whole x and 1 halfway."""
    return 1.0 - np.abs(2.0 * (x - np.floor(x)) - 1.0)


def _line(x: Image, width: Image | float, soft: Image) -> Image:
    """1 within ``width`` of whole x (in cells), falling to 0 over ``soft``."""
    away = np.abs(x - np.rint(x))
    return np.clip((width - away) / soft + 0.5, 0.0, 1.0)


def _albedo(kind: int, m: NDArray[np.float32], u: Image, v: Image, hu: Image, hv: Image, foot: Image) -> Image:
    """Albedo (3, n) of one kind of texture, and the share of glow in row 3.

    Args:
        kind: Kind of texture.
        m: (rows of the material table, n) parameters.
        u: (n,) metres along the surface from its centre.
        v: (n,) the same across.
        hu: (n,) half extent of the surface along u.
        hv: (n,) half extent along v.
        foot: (n,) width of a pixel on the surface in metres.
    """
    a, b, fu, fv, p, seed = m[0:3], m[3:6], m[6], m[7], m[8], m[11]
    out = np.ones((4, len(u)), dtype=np.float32)
    if kind == PLAIN:
        out[:3] = a
        return out
    x, y = u * fu, v * fv
    px, py = foot * fu, foot * fv  # cells per pixel
    if kind in (CHECKER, STRIPES, NOISE, PLANKS, TILES):
        if kind == CHECKER:
            mix = ((np.floor(x) + np.floor(y)).astype(np.int32) & 1).astype(np.float32)
        elif kind == STRIPES:
            mix = (_wave(x) < p).astype(np.float32)
        elif kind == NOISE:
            mix = 0.6 * _smooth(x + seed, y) + 0.4 * _smooth(2.7 * x, 2.7 * y + seed)
            mix = np.clip(2.0 * mix - 0.5, 0.0, 1.0)
        elif kind == PLANKS:
            row = np.floor(y)
            x = x + _cell(row + seed, row) * 3.0
            tone = _cell(np.floor(x) + seed, row)
            mix = 0.6 * tone + 0.4 * _smooth(6.0 * x, 9.0 * y + seed)
            mix = np.maximum(mix, 1.3 * np.maximum(_line(y, 0.03, py + 0.02), _line(x, 0.01, px + 0.01)))
        else:
            row = np.floor(y)
            x = x + p * (row.astype(np.int32) & 1)
            grout = np.maximum(_line(x, 0.05, px + 0.02), _line(y, 0.05, py + 0.02))
            mix = np.maximum(grout, 0.25 * _cell(np.floor(x) + seed, row))
        # A pattern finer than the pixels fades to its mean instead of flickering.
        sharp = np.clip(1.6 - 2.0 * np.maximum(px, py), 0.0, 1.0)
        mix = 0.45 + sharp * (mix - 0.45)
        out[:3] = a + mix * (b - a)
        return out
    if kind == SPINES:
        book = np.floor(x + 0.35 * np.sin(2.0 * x))
        for k in range(3):
            out[k] = _cell(book + seed, np.float32(31 * k + 7) + 0 * book)
        tone = 0.35 + 0.65 * _cell(book, seed)
        band = 1.0 + 0.5 * ((np.abs(v / hv - 0.5) < 0.15) & (out[0] > 0.5))
        out[:3] = (0.04 + 0.75 * out[:3] ** 2) * tone * band + 0.1 * a
        out[:3] *= 1.0 - 0.6 * _line(x + 0.35 * np.sin(2.0 * x), 0.08, px + 0.05)
        return out
    s, t = u / hu, v / hv
    if kind == PANELS:
        x, y = 0.5 * (s + 1.0) * fu, 0.5 * (t + 1.0) * fv  # fu x fv doors
        su, sv = 0.5 * fu / hu, 0.5 * fv / hv  # cells per metre
        gap = np.maximum(_line(x, 0.012 * su, foot * su + 0.004), _line(y, 0.012 * sv, foot * sv + 0.004))
        knob = (np.abs(x - np.floor(x) - p) < 0.02 * su) & (np.abs(y - np.floor(y) - 0.5) < 0.06 * sv)
        tone = 0.85 + 0.3 * _smooth(u * 3.0 + seed, v * 25.0)
        out[:3] = a * tone * (1.0 - 0.8 * gap) + knob * (b - 0.8 * a)
        return out
    frame = np.maximum(np.abs(u) - (hu - p), np.abs(v) - (hv - p)) > 0.0
    if kind == PANE:
        su, sv = 0.5 * fu / hu, 0.5 * fv / hv
        bars = (_line(0.5 * (s + 1.0) * fu, 0.025 * su, 0.02 * su) > 0.5) | (
            _line(0.5 * (t + 1.0) * fv, 0.025 * sv, 0.02 * sv) > 0.5
        )
        frame |= bars
        sky = a * (0.75 + 0.25 * t)
        trees = np.clip(4.0 * (_smooth(u * 2.5 + seed, v * 2.5) - 0.35 - 0.8 * (t + 0.4)), 0.0, 1.0)
        green = np.array([[0.12], [0.25], [0.07]], dtype=np.float32) * (0.6 + 0.8 * _smooth(u * 9.0, v * 9.0 + seed))
        out[:3] = np.where(frame, b, sky + trees * (green - sky))
        out[3] = ~frame
        return out
    tones = np.stack([_smooth(s * fu + seed + 40 * k, t * fv + 17 * k) for k in range(3)])
    tones = tones.mean(axis=0) + 0.5 * (tones - tones.mean(axis=0))
    if kind == PAINTING:
        strokes = _smooth(s * 4.0 * fu, t * 4.0 * fv + seed)
        paper = np.clip(6.0 * np.abs(_smooth(s * fu, t * fv + seed) - 0.5) - 0.3, 0.0, 1.0)
        inner = np.clip(a + paper * (0.1 + 1.1 * tones - a), 0.01, 1.0) * (0.7 + 0.5 * strokes)
        out[:3] = np.where(frame, b, inner)
        return out
    # SCREEN: dark glass with a sheen, or a programme that glows
    sheen = 0.03 + 0.05 * np.clip(1.0 - 2.0 * np.abs(s - t - 0.4), 0.0, 1.0)
    programme = 0.05 + tones**2 * np.array([[0.6], [0.9], [1.4]], dtype=np.float32)
    out[:3] = np.where(frame, b, np.where(m[10] > 0.0, programme, sheen))
    out[3] = ~frame
    return out


def _material_table(materials: list[Material]) -> Image:
    rows = [(*m.a, *m.b, m.fu, m.fv, m.p, m.grain, m.glow, m.seed, float(m.texture)) for m in materials]
    return np.ascontiguousarray(np.array(rows, dtype=np.float32).T)  # (13, M)


def _texture_axes(shapes: Shapes, camera: Camera) -> tuple[Image, Image]:
    """Per surface u axis, u offset, v axis, v offset in camera coordinates (8, S), and half extents (2, S)."""
    centre, axes = shapes.in_camera(camera)
    along, across = np.array([1, 1, 0, 0, 0, 0]), np.array([2, 2, 2, 2, 1, 1])
    u, v = axes[:, along], axes[:, across]  # (N, 6, 3)
    offsets = [-np.einsum('nfd,nd->nf', w, centre) for w in (u, v)]
    table = np.stack([*np.moveaxis(u, 2, 0), offsets[0], *np.moveaxis(v, 2, 0), offsets[1]])
    extents = np.stack([shapes.half[:, along], shapes.half[:, across]])
    return table.reshape(8, -1).astype(np.float32), extents.reshape(2, -1).astype(np.float32)


def _occlusion(n: Image, p: Image, room: Image, lighting: Lighting, on_floor: NDArray[np.bool_]) -> Image:
    """Share of ambient light (n,) that corners and things standing on the floor leave over; all in the world."""
    out = np.ones(p.shape[1], dtype=np.float32)
    for k in range(3):
        side = np.float32(lighting.corner) * (1.0 - np.abs(n[k]))
        for distance in (p[k], room[k] - p[k]):
            out *= 1.0 - side / (1.0 + (np.abs(distance) * np.float32(2.5)) ** 2)
    where = np.flatnonzero(on_floor)
    if len(where):
        x, y = p[0, where], p[1, where]
        shade = np.ones(len(where), dtype=np.float32)
        for cx, cy, cos, sin, hx, hy in np.array(lighting.contacts, dtype=np.float32).reshape(-1, 6):
            dx, dy = x - cx, y - cy
            away = np.maximum(np.abs(cos * dx + sin * dy) - hx, np.abs(cos * dy - sin * dx) - hy)
            shade *= 1.0 - np.float32(0.65) * np.clip(0.5 - away * np.float32(2.5), 0.0, 1.0)
        out[where] *= shade
    return out


def _radiance(
    slot: slice,
    rays: tuple[Image, Image],
    hits: Hits,
    normal: Image,
    camera: Camera,
    lighting: Lighting,
    tables: tuple[Image, Image, Image, Ints],
    room: Image,
    floor: int,
) -> Image:
    """Linear RGB (3, n) of the pixels in ``slot``."""
    material, axes, extents, surface_material = tables
    t, surface = hits.depth.ravel()[slot], hits.surface.ravel()[slot]
    x, y = rays[0][slot] * t, rays[1][slot] * t
    point = np.stack([x, y, t])
    number = np.take(surface_material, surface)
    kinds = np.take(material[12], number).astype(np.int8)
    n = np.ascontiguousarray(normal.reshape(-1, 3)[slot].T)
    reach = np.sqrt((point * point).sum(axis=0))
    facing = np.maximum(-(n * point).sum(axis=0) / reach, np.float32(0.1))
    foot = t / (np.float32(camera.focal(hits.depth.shape)) * facing)

    tex = np.take(axes, surface, axis=1)  # (8, n)
    u = tex[0] * x + tex[1] * y + tex[2] * t + tex[3]
    v = tex[4] * x + tex[5] * y + tex[6] * t + tex[7]
    del tex
    albedo = np.empty((4, len(t)), dtype=np.float32)
    for kind in np.flatnonzero(np.bincount(kinds)).tolist():
        at = np.flatnonzero(kinds == kind)
        m, half = np.take(material, number[at], axis=1), np.take(extents, surface[at], axis=1)
        albedo[:, at] = _albedo(kind, m, u[at], v[at], half[0], half[1], foot[at])
    # Grain at two scales, a cue of distance; it fades where it is finer than the pixels.
    grain = np.take(material[9], number)
    fade = np.clip(1.5 - 12.0 * foot, 0.0, 1.0)
    speckle = _smooth(u * 4.0, v * 4.0) - 0.5 + fade * (_smooth(u * 23.0, v * 23.0) - 0.5)
    albedo[:3] *= 1.0 + 1.2 * grain * speckle

    # Light, in the world.
    to_world = camera.rotation.T.astype(np.float32)
    n = to_world @ n
    point = to_world @ point + camera.position.astype(np.float32)[:, None]
    free = _occlusion(n, point, room, lighting, surface == floor)
    lean = np.array(lighting.lean, dtype=np.float32) @ n
    light = np.outer(np.array(lighting.ambient, dtype=np.float32), (1.0 + lean) * free).astype(np.float32)
    light += np.float32(lighting.flash) * facing / (1.0 + (reach / np.float32(2.5)) ** 2)
    shade = 0.4 + 0.6 * free
    for lamp in lighting.lights:
        to = np.array(lamp.position, dtype=np.float32)[:, None] - point
        square = (to * to).sum(axis=0)
        away = 1.0 / np.sqrt(square + np.float32(1e-4))
        power = np.maximum((to * n).sum(axis=0) * away, 0.0) / (1.0 + square * np.float32(lamp.reach**-2)) * shade
        if lamp.lobe > 0.0:
            lobe = np.maximum(-(np.array(lamp.axis, dtype=np.float32) @ to) * away, 0.0)
            power *= np.float32(1.0 - lamp.lobe) + np.float32(lamp.lobe) * lobe
        light += np.array(lamp.colour, dtype=np.float32)[:, None] * power
    glow = np.take(material[10], number) * albedo[3]
    colour = albedo[:3] * (light + glow)
    clear = np.exp(t * np.float32(-1.0 / lighting.haze_length))
    haze = np.array(lighting.haze, dtype=np.float32)[:, None]
    return (haze + clear * (colour - haze)).astype(np.float32)


def _blur(image: Image, share: float) -> Image:
    """Mix every pixel of (3, H, W) with its four neighbours."""
    share32 = np.float32(share / 2)
    for axis in (1, 2):
        padded = np.pad(image, [(0, 0) if k != axis else (1, 1) for k in range(3)], mode='edge')
        low = padded[:, :-2] if axis == 1 else padded[:, :, :-2]
        high = padded[:, 2:] if axis == 1 else padded[:, :, 2:]
        image = (image + share32 * (low + high - np.float32(2) * image)).astype(np.float32, copy=False)
    return image


def shade(
    shapes: Shapes,
    camera: Camera,
    hits: Hits,
    normal: Image,
    materials: list[Material],
    surface_material: Ints,
    lighting: Lighting,
    noise_key: tuple[int, int],
) -> NDArray[np.uint8]:
    """Paint the picture.

    Args:
        shapes: The scene; shape 0 is the room's shell with its low corner at the world's origin.
        camera: The camera of ``hits``.
        hits: What each pixel sees.
        normal: (H, W, 3) normals in camera axes.
        materials: M materials.
        surface_material: (FACES * N,) material of each surface.
        lighting: The light.
        noise_key: Key of the sensor noise's frozen stream.

    Returns:
        (H, W, 3) RGB.
    """
    height, width = hits.depth.shape
    xs, ys = camera.rays((height, width))
    rays = (np.tile(xs.astype(np.float32), height), np.repeat(ys.astype(np.float32), width))
    tables = (_material_table(materials), *_texture_axes(shapes, camera), surface_material)
    room = (2.0 * shapes.half[0]).astype(np.float32)
    linear = np.empty((3, height * width), dtype=np.float32)
    for start in range(0, height * width, _SLICE):
        slot = slice(start, start + _SLICE)
        linear[:, slot] = _radiance(slot, rays, hits, normal, camera, lighting, tables, room, floor=4)
    gain = lighting.exposure / (float(linear.mean()) + 0.02)
    linear *= (np.float32(gain) * np.array(lighting.balance, dtype=np.float32))[:, None]
    np.maximum(linear, 0.0, out=linear)
    linear /= 1.0 + 0.25 * linear  # highlights roll off
    image = np.sqrt(linear, out=linear).reshape(3, height, width)  # gamma 2
    if lighting.blur > 0.0:
        image = _blur(image, lighting.blur)
    count = 3 * height * width
    raw = np.random.Philox(key=list(noise_key)).random_raw((count + 3) // 4)
    bits = raw.astype('<u8').view('<u2')[:count].reshape(3, height, width)
    # Sums of two bytes are nearly normal: mean 255, standard deviation 104.5.
    spread = (bits & 0xFF).astype(np.float32) + (bits >> 8).astype(np.float32) - np.float32(255.0)
    image = image * np.float32(255.0) + spread * np.float32(lighting.noise / 104.5)
    return np.ascontiguousarray(np.clip(image + 0.5, 0.0, 255.0).astype(np.uint8).transpose(1, 2, 0))
