"""Flat pictures with an outline: trees, bushes, posts, furniture, parked cars, hills, fences.

Each maker returns (picture (h, w, 3), cover (h, w)) in perceptual values, `m` texels a metre; the lowest row
stands on the floor.
"""

from __future__ import annotations

import numpy as np
from t4vcodec.media.rendered.surfaces import books
from t4vcodec.media.rendered.textures import (
    Noise,
    glyphs,
    hsv,
    ink,
    paint_hue,
    plain,
    rectangle,
    soften,
    tinted,
)

Rng = np.random.Generator
Picture = tuple[np.ndarray, np.ndarray]


def _leaves(shape: tuple[int, int], noise: Noise, rng: Rng, hue: float, light: np.ndarray) -> np.ndarray:
    """Foliage, lit from above where `light` (h, w) is high."""
    leaf = noise.field(shape, 0.45, 1.0, 8) * 0.55 + noise.field(shape, 1.0) * 0.45
    return tinted(
        np.clip(0.42 + 0.17 * leaf + 0.22 * light, 0, 1),
        [hsv(hue, 0.7, 0.05), hsv(hue, 0.65, 0.28), hsv(hue - 0.03, 0.55, 0.5), hsv(hue - 0.06, 0.4, 0.78)],
    )


def tree(m: float, noise: Noise, rng: Rng) -> Picture:
    """A broad-leaved tree of 4 to 6 metres."""
    high, wide = int(rng.uniform(4.2, 5.6) * m), int(rng.uniform(2.8, 3.8) * m)
    y, x = np.indices((high, wide), dtype=np.float32)
    crown, light = np.full((high, wide), -9.0, np.float32), np.zeros((high, wide), np.float32)
    for _ in range(11):
        r = wide * rng.uniform(0.15, 0.25)
        cy, cx = high * rng.uniform(0.16, 0.55), wide * rng.uniform(0.25, 0.75)
        inside = 1 - np.hypot(y - cy, x - cx) / r
        light = np.where(inside > crown, (cy - y) / r - 0.4 * (x - cx) / r, light)
        crown = np.maximum(crown, inside)
    edge = crown * 3 + 0.55 * noise.field((high, wide), 0.7)
    leaves = _leaves((high, wide), noise, rng, rng.uniform(0.2, 0.3), light)
    middle = 0.5 * wide + 0.04 * wide * np.sin(y / high * 5)
    thick = m * (0.11 + 0.12 * np.clip((y / high - 0.85) * 6, 0, 1) ** 2)
    bark = np.clip((thick - np.abs(x - middle)) * 0.8, 0, 1) * (y > 0.4 * high)
    round_ = (
        0.36 * (1 - 0.5 * ((x - middle) / thick) ** 2) * (1 + 0.2 * noise.field((high, wide), 0.7, 1 / 6))
    )
    trunk = np.clip(round_, 0, 1)[..., None] * hsv(0.07, 0.35, 1.0)
    cover = np.clip(edge * 1.4, 0, 1)
    return leaves * cover[..., None] + trunk * (1 - cover[..., None]), np.maximum(cover, bark)


def bush(m: float, noise: Noise, rng: Rng, wide_m: float = 1.6, high_m: float = 1.0) -> Picture:
    """A bush, or a hedge if wide."""
    high, wide = int(high_m * m), int(wide_m * m)
    y, x = np.indices((high, wide), dtype=np.float32)
    top = high * (0.18 + 0.06 * noise.field((1, wide), 1.3)[0])
    side = np.minimum(x, wide - x) / (0.22 * high)
    height = (y - top[None, :]) / (0.25 * high)
    inside = np.minimum(height, side) + 0.35 * noise.field((high, wide), 0.8)
    light = np.clip(1.2 - 2.2 * (y / high), -1, 1)
    return _leaves((high, wide), noise, rng, rng.uniform(0.22, 0.34), light), np.clip(inside * 1.6, 0, 1)


def tree_line(high: int, wide: int, m: float, noise: Noise, rng: Rng, haze: float) -> Picture:
    """A row of trees far away, hazy; the width repeats without a seam."""
    y = np.indices((high, wide), dtype=np.float32)[0]
    top = high * (0.35 + 0.13 * noise.field((1, wide), 1.3, 1.0)[0])
    clumps = noise.field((high, wide), 1.1)
    inside = (y - top[None]) / (0.05 * high) + 0.9 * clumps
    light = np.clip(
        (np.roll(clumps, -6, axis=0) - clumps) * 1.2 + 0.7 - 1.4 * (y - top[None]) / high, -1.2, 1.3
    )
    leaves = _leaves((high, wide), noise, rng, rng.uniform(0.22, 0.3), light)
    return leaves + haze * (hsv(0.57, 0.15, 0.78) - leaves), np.clip(inside, 0, 1)


def hills(high: int, wide: int, noise: Noise, rng: Rng) -> Picture:
    """A far ridge in the haze."""
    y = np.indices((high, wide), dtype=np.float32)[0]
    top = high * (0.5 + 0.18 * noise.field((1, wide), 1.9)[0])
    tone = 0.5 + 0.06 * noise.field((high, wide), 1.2) - 0.1 * (y - top[None]) / high
    return np.clip(tone, 0, 1)[..., None] * hsv(rng.uniform(0.5, 0.6), 0.22, 1.15), np.clip(
        (y - top[None]) / 2, 0, 1
    )


def post(m: float, noise: Noise, rng: Rng) -> Picture:
    """A lamp post or a sign on a pole."""
    high, wide = int(rng.uniform(2.6, 4.2) * m), int(0.7 * m)
    picture, cover = plain((high, wide), hsv(0.6, 0.1, 0.3)), np.zeros((high, wide), np.float32)
    x = np.arange(wide) - wide / 2
    thick = max(1.2, 0.035 * m)
    pole = np.clip(thick - np.abs(x) + 0.5, 0, 1)
    cover[:] = pole
    picture *= (1.2 - 0.5 * np.clip(x / thick, -1, 1))[None, :, None]
    board = round(0.55 * m)
    text = glyphs(max(5, board // 4), 4, rng)
    rectangle(picture, 0, 0, board, wide, hsv(paint_hue(rng), 0.7, 0.55))
    ink(picture, board // 3, (wide - text.shape[1]) // 2, text, np.array([0.95, 0.95, 0.9]))
    cover[:board] = 1
    return picture, cover


def fence(m: float, noise: Noise, rng: Rng, wide: int) -> Picture:
    """A fence of boards or bars; the width repeats without a seam."""
    high = round(rng.uniform(1.1, 1.7) * m)
    count = round(wide / (0.17 * m))
    x = np.arange(wide) * count / wide
    board = np.clip((0.40 - np.abs(x % 1 - 0.5)) * 8, 0, 1)
    tone = rng.uniform(0.75, 1.1, count + 1)[np.floor(x).astype(int)]
    y = np.arange(high) / high
    rail = np.maximum(np.abs(y - 0.25) < 0.04, np.abs(y - 0.75) < 0.04).astype(np.float32)
    cover = np.maximum(board[None] * np.ones((high, 1)), rail[:, None])
    grain = 1 + 0.12 * noise.field((high, wide), 0.9, 1 / 10)
    colour = hsv(rng.uniform(0.05, 0.12), rng.uniform(0.1, 0.5), rng.uniform(0.35, 0.85))
    return (tone[None] * grain * (0.7 + 0.3 * board[None]))[..., None] * colour, cover.astype(np.float32)


def car(m: float, noise: Noise, rng: Rng) -> Picture:
    """A parked car, seen from the side."""
    high, wide = round(1.48 * m), round(4.2 * m)
    y, x = np.indices((high, wide), dtype=np.float32) / m
    y = 1.48 - y
    cabin = (
        np.clip((np.minimum(0.9 * (x - 0.75), 1.3 * (3.45 - x)) - (y - 0.85)) * m * 0.5, 0, 1)
        * (y < 1.44)
        * (y > 0.8)
    )
    hull = (
        np.clip((0.93 - 0.05 * np.abs(x - 2.1) ** 1.4 - y) * m * 0.7, 0, 1)
        * (y > 0.24)
        * (x > 0.03)
        * (x < 4.17)
    )
    colour = hsv(paint_hue(rng), rng.uniform(0.05, 0.8), rng.uniform(0.25, 0.9))
    paint = 0.55 + 0.5 * np.clip((y - 0.25) / 0.7, 0, 1) + 0.35 * np.exp(-(((y - 0.78) / 0.05) ** 2))
    picture = np.clip(paint * (1 + 0.03 * noise.field((high, wide), 1.5)), 0, 1.3)[..., None] * colour
    glass = (
        np.clip((np.minimum(0.9 * (x - 0.85), 1.3 * (3.35 - x)) - (y - 0.85)) * m * 0.5, 0, 1)
        * (y < 1.36)
        * (y > 0.88)
    )
    glass *= (np.abs(x - 1.9) > 0.05) * (np.abs(x - 2.75) > 0.04)
    pane = tinted(
        np.clip((y - 0.8) / 0.6 + 0.1 * noise.field((high, wide), 1.6), 0, 1),
        [hsv(0.6, 0.2, 0.1), hsv(0.58, 0.2, 0.4), hsv(0.57, 0.15, 0.65)],
    )
    picture += glass[..., None] * (pane - picture)
    for at in (1.9, 0.95, 2.9):
        picture *= (1 - 0.4 * (np.abs(x - at) < 0.6 / m) * (y < 0.88) * (y > 0.3))[..., None]
    rectangle(picture, 0.62 * m, 0.05 * m, 0.76 * m, 0.3 * m, np.array([0.85, 0.2, 0.15]))
    rectangle(picture, 0.66 * m, 3.95 * m, 0.78 * m, 4.15 * m, np.array([0.95, 0.95, 0.9]))
    cover = np.maximum(cabin, hull)
    for at in (0.85, 3.35):
        r = np.hypot(x - at, y - 0.31)
        wheel = np.clip((0.36 - r) * m, 0, 1)
        picture += wheel[..., None] * (0.05 - picture)
        tyre = np.clip((0.31 - r) * m, 0, 1)
        cover = np.maximum(cover * (1 - (r < 0.36) * (y < 0.1)), tyre)
        spokes = 0.55 + 0.2 * np.cos(5 * np.arctan2(y - 0.31, x - at))
        rim = np.clip((0.2 - r) * m, 0, 1)
        picture += rim[..., None] * (spokes[..., None] - picture)
    return np.clip(picture, 0, 1), cover.astype(np.float32)


def shelf(m: float, noise: Noise, rng: Rng) -> Picture:
    """A bookcase."""
    high, wide = round(rng.uniform(1.5, 2.0) * m), round(rng.uniform(0.8, 1.4) * m)
    picture = books(high, wide, m, noise, rng)
    edge = max(2, round(0.03 * m))
    tone = hsv(0.08, 0.45, rng.uniform(0.3, 0.7))
    for box in (
        (0, 0, edge, wide),
        (0, 0, high, edge),
        (0, wide - edge, high, wide),
        (high - 2 * edge, 0, high, wide),
    ):
        rectangle(picture, *box, tone)
    return picture, np.ones((high, wide), np.float32)


def sofa(m: float, noise: Noise, rng: Rng) -> Picture:
    """A sofa from the front."""
    high, wide = round(0.82 * m), round(1.9 * m)
    y, x = np.indices((high, wide), dtype=np.float32) / m
    y = 0.82 - y
    cover = np.clip((np.where((x < 0.2) | (x > 1.7), 0.62, 0.82) - y) * m, 0, 1) * (y > 0.06)
    cover = np.maximum(cover, ((np.abs(x - 0.95) > 0.75) & (np.abs(x - 0.95) < 0.82)).astype(np.float32))
    tone = (
        0.75
        + 0.25 * (y > 0.45)
        - 0.5 * np.exp(-(((y - 0.45) / 0.02) ** 2))
        - 0.3 * np.exp(-(((x - 0.95) / 0.012) ** 2))
    )
    tone -= 0.4 * np.exp(-(((np.abs(x - 0.95) - 0.75) / 0.015) ** 2)) + 0.35 * (y < 0.22)
    tone *= 1 + 0.05 * noise.field((high, wide), 1.3) + 0.03 * noise.field((high, wide), 0.2, 1, 10)
    picture = np.clip(tone, 0, 1.2)[..., None] * hsv(
        paint_hue(rng), rng.uniform(0.15, 0.6), rng.uniform(0.3, 0.75)
    )
    return np.clip(picture, 0, 1), soften(cover.astype(np.float32), 0.6)


def plant(m: float, noise: Noise, rng: Rng) -> Picture:
    """A pot plant."""
    leaf, cover = bush(m, noise, rng, 0.8, 0.9)
    pot_h, pot_w = round(0.35 * m), round(0.36 * m)
    high, wide = leaf.shape[0] + pot_h - round(0.1 * m), leaf.shape[1]
    picture, mask = plain((high, wide), np.zeros(3)), np.zeros((high, wide), np.float32)
    x0 = (wide - pot_w) // 2
    curve = np.linspace(1.1, 0.6, pot_w)[None, :, None] * hsv(rng.uniform(0.02, 0.1), 0.5, 0.65)
    picture[high - pot_h :, x0 : x0 + pot_w], mask[high - pot_h :, x0 : x0 + pot_w] = curve, 1
    n = leaf.shape[0]
    picture[:n] += cover[..., None] * (leaf - picture[:n])
    mask[:n] = np.maximum(mask[:n], cover)
    return np.clip(picture, 0, 1), mask


def lockers(m: float, noise: Noise, rng: Rng) -> Picture:
    """A row of metal lockers or cabinets."""
    count = int(rng.integers(3, 7))
    high, door = round(1.85 * m), round(0.4 * m)
    wide = count * door
    picture = plain((high, wide), hsv(paint_hue(rng), rng.uniform(0.1, 0.6), rng.uniform(0.4, 0.75)))
    y, x = np.indices((high, wide), dtype=np.float32)
    gap = np.minimum(x % door, door - x % door)
    picture *= (1 - 0.5 * np.clip(1.5 - gap, 0, 1) + 0.06 * noise.field((high, wide), 1.4))[..., None]
    slit = (
        ((y % (0.05 * m)) < 0.018 * m)
        & (y > 0.15 * m)
        & (y < 0.4 * m)
        & (np.abs(x % door - door / 2) < 0.28 * door)
    )
    picture *= (1 - 0.55 * soften(slit.astype(np.float32), 0.5))[..., None]
    return np.clip(picture, 0, 1), np.ones((high, wide), np.float32)


def table(m: float, noise: Noise, rng: Rng) -> Picture:
    """A desk with a screen and paper on it."""
    high, wide = round(1.2 * m), round(1.5 * m)
    picture, cover = plain((high, wide), hsv(0.08, 0.4, 0.5)), np.zeros((high, wide), np.float32)
    top = round(0.46 * m)
    boxes = [
        ((top, 0, top + round(0.05 * m), wide), hsv(0.08, 0.4, rng.uniform(0.4, 0.8))),
        ((top, round(0.05 * m), high, round(0.1 * m)), hsv(0.6, 0.05, 0.3)),
        ((top, wide - round(0.1 * m), high, wide - round(0.05 * m)), hsv(0.6, 0.05, 0.3)),
        ((top, round(0.9 * m), round(1.05 * m), round(1.4 * m)), hsv(0.08, 0.35, 0.45)),
        ((round(0.06 * m), round(0.35 * m), round(0.4 * m), round(0.95 * m)), np.array([0.06, 0.07, 0.08])),
        (
            (round(0.08 * m), round(0.37 * m), round(0.38 * m), round(0.93 * m)),
            hsv(paint_hue(rng), 0.15, 0.6),
        ),
        ((round(0.4 * m), round(0.6 * m), top, round(0.7 * m)), np.array([0.1, 0.1, 0.1])),
        ((top - round(0.06 * m), round(1.05 * m), top, round(1.35 * m)), np.array([0.85, 0.84, 0.8])),
    ]
    for box, colour in boxes:
        rectangle(picture, *box, colour)
        rectangle(cover[..., None], *box, np.ones(1))
    picture = picture * (1 + 0.05 * noise.field((high, wide), 1.0, 6.0))[..., None]
    return np.clip(picture, 0, 1), cover
