"""Floors, walls and skies: large textured pictures for the planes of a place.

Each maker takes `m`, texels a metre, and returns an (h, w, 3) picture of perceptual values; rows of walls run
from the top down, and their width repeats without a seam.
"""

from __future__ import annotations

import numpy as np
from t4vcodec.media.rendered.textures import (
    Noise,
    bricks,
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


def _shade(picture: np.ndarray, amount: np.ndarray) -> np.ndarray:
    return picture * (1 + amount)[..., None]


# Floors: side x side texels, repeating both ways.


def grass(side: int, m: float, noise: Noise, rng: Rng, dry: float = 0.3) -> np.ndarray:
    """A lawn: blades, patches, some dry spots and flowers."""
    blades = noise.field((side, side), 0.35, 1 / 2.5, 6) * 0.5 + noise.field((side, side), 0.9) * 0.5
    patches = noise.field((side, side), 1.7)
    hue = rng.uniform(0.22, 0.29)
    green = tinted(
        0.5 + 0.2 * blades + 0.12 * patches,
        [hsv(hue, 0.75, 0.12), hsv(hue, 0.62, 0.40), hsv(hue - 0.05, 0.5, 0.66)],
    )
    straw = np.clip(noise.field((side, side), 1.4) * 0.6 - 1 + dry * 2, 0, 0.8)[..., None]
    return green + straw * (hsv(0.13, 0.4, 0.55) * (1 + 0.25 * blades)[..., None] - green)


def asphalt(side: int, m: float, noise: Noise, rng: Rng, value: float = 0.42) -> np.ndarray:
    """Asphalt: grit, stains, patches with sealed joints and cracks."""
    tone = value + 0.03 * noise.field((side, side), 0.15, 1, 10) + 0.035 * noise.field((side, side), 1.5)
    crack = noise.field((side, side), 1.5)
    tone -= 0.16 * np.clip(1 - np.abs(crack - 0.4) * 60, 0, 1) * (noise.field((side, side), 1.8) > 0.2)
    for _ in range(2):
        y, x, h, w = rng.integers(0, side, 2).tolist() + rng.integers(int(0.8 * m), int(2.5 * m), 2).tolist()
        tone[y : y + h, x : x + w] -= rng.uniform(0.03, 0.07)
    return tone[..., None] * hsv(rng.uniform(0.55, 0.65), 0.05, 1.0)


def planks(side: int, m: float, noise: Noise, rng: Rng, value: float = 0.6) -> np.ndarray:
    """Boards along the rows with grain, each of its own tone."""
    kind, joint = bricks((side, side), (max(4, side // 64), side // 4), max(1, side // 700), noise, rng)
    hue = rng.uniform(0.05, 0.09)
    grain = noise.field((side, side), 0.9, 14.0)
    tone = value * (0.84 + 0.3 * kind + 0.09 * grain) * (1 - 0.45 * joint)
    return np.clip(tone, 0, 1)[..., None] * hsv(hue, rng.uniform(0.4, 0.6), 1.0)


def tiles(
    side: int, m: float, noise: Noise, rng: Rng, size: float = 0.4, contrast: float = 0.12
) -> np.ndarray:
    """Square tiles or slabs of `size` metres with joints and stains."""
    count = max(1, round(side / (size * m)))
    kind, joint = bricks(
        (side, side), (side // count, side // count), max(1, round(0.012 * m)), noise, rng, False
    )
    tone = rng.uniform(0.5, 0.68) + contrast * (kind - 0.5) + 0.03 * noise.field((side, side), 1.5)
    tone += 0.02 * noise.field((side, side), 0.3, 1, 8)
    return (tone * (1 - 0.35 * joint))[..., None] * hsv(rng.uniform(0.05, 0.15), rng.uniform(0.03, 0.16), 1.0)


def paving(side: int, m: float, noise: Noise, rng: Rng) -> np.ndarray:
    """Small setts in courses."""
    kind, joint = bricks((side, side), (side // 64, side // 32), max(1, round(0.014 * m)), noise, rng)
    tone = (
        0.5
        + 0.16 * (kind - 0.5)
        + 0.045 * noise.field((side, side), 0.7)
        + 0.04 * noise.field((side, side), 1.7)
    )
    hues = tinted(kind, [hsv(0.04, 0.22, 1.0), hsv(0.08, 0.12, 1.0), hsv(0.6, 0.06, 1.0)])
    return (tone * (1 - 0.4 * joint))[..., None] * hues


def carpet(side: int, m: float, noise: Noise, rng: Rng) -> np.ndarray:
    """Carpet: pile, trodden lanes, a faint pattern."""
    y, x = np.indices((side, side), dtype=np.float32) * (2 * np.pi / side)
    pattern = np.sin(24 * x) * np.sin(24 * y)
    tone = (
        0.45
        + 0.035 * noise.field((side, side), 0.2, 1, 10)
        + 0.03 * noise.field((side, side), 1.6)
        + 0.03 * np.tanh(3 * pattern)
    )
    return tone[..., None] * hsv(paint_hue(rng), rng.uniform(0.05, 0.25), 1.0)


def sand(side: int, m: float, noise: Noise, rng: Rng) -> np.ndarray:
    """Sand with ripples, footprints and pebbles."""
    dips = noise.field((side, side), 1.2, 2.0)
    slope = np.roll(dips, 2, axis=0) - dips
    tone = (
        0.74
        + 0.3 * np.clip(slope, -0.4, 0.4)
        + 0.03 * noise.field((side, side), 0.2, 1, 10)
        + 0.02 * noise.field((side, side), 1.6)
    )
    tone -= 0.3 * (soften(rng.random((side, side), dtype=np.float32), 1.0) > 0.66)
    return tone[..., None] * hsv(rng.uniform(0.09, 0.12), 0.28, 1.0)


def court_lines(picture: np.ndarray, m: float, rng: Rng) -> np.ndarray:
    """Paint lines of a playing field on a floor, worn by what lies below."""
    side = picture.shape[0]
    mask = np.zeros((side, side), np.float32)
    wide = max(2, round(0.06 * m))
    for at in rng.uniform(0.1, 0.9, 2):
        mask[int(at * side) : int(at * side) + wide] = 1
        mask[:, int((1 - at) * side) : int((1 - at) * side) + wide] = 1
    y, x = np.indices((side, side), dtype=np.float32) / m
    ring = np.hypot(y - 0.5 * side / m, x - 0.4 * side / m)
    mask = np.maximum(mask, np.clip(1.5 - np.abs(ring - 1.8) * m / wide * 2, 0, 1))
    colour = hsv(paint_hue(rng), rng.uniform(0, 0.7), 0.95)
    return picture + (0.8 * soften(mask, 0.7))[..., None] * (colour * (0.4 + picture) - picture)


# Walls: high x wide texels, repeating along.


def brick_wall(high: int, wide: int, m: float, noise: Noise, rng: Rng) -> np.ndarray:
    """Brickwork with mortar, soot and damp at the foot."""
    kind, joint = bricks(
        (high, wide),
        (max(4, round(0.09 * m)), wide // round(wide / (0.27 * m))),
        max(1.0, 0.014 * m),
        noise,
        rng,
    )
    hue = rng.uniform(0.01, 0.06)
    colours = tinted(kind, [hsv(hue, 0.55, 0.36), hsv(hue, 0.5, 0.52), hsv(hue + 0.02, 0.42, 0.62)])
    picture = colours + joint[..., None] * (hsv(0.09, 0.1, 0.58) - colours)
    damp = np.linspace(-1.5, 0.25, high)[:, None] + 0.2 * noise.field((high, wide), 1.5)
    return _shade(
        picture,
        0.06 * noise.field((high, wide), 1.3)
        + 0.04 * noise.field((high, wide), 0.3)
        - 0.3 * np.clip(damp, 0, 1),
    )


def plaster(
    high: int, wide: int, m: float, noise: Noise, rng: Rng, colour: np.ndarray, pattern: bool
) -> np.ndarray:
    """A painted or papered wall inside, with a skirting board."""
    picture = plain((high, wide), colour)
    if pattern:
        y, x = np.indices((high, wide), dtype=np.float32)
        count = round(wide / (0.28 * m))
        figure = np.sin(2 * np.pi * x * count / wide) * np.cos(2 * np.pi * y / (0.36 * m)) + 0.6 * np.sin(
            4 * np.pi * x * count / wide
        )
        picture = _shade(picture, 0.07 * np.tanh(3 * figure))
    picture = _shade(picture, 0.014 * noise.field((high, wide), 0.4) + 0.022 * noise.field((high, wide), 1.5))
    # Pools of lamp light: broad and smooth, falling off towards the floor.
    lamp = 0.07 * noise.field((high, wide), 2.6, 1.0, 1.0) + np.linspace(0.05, -0.10, high)[:, None]
    picture = _shade(picture, lamp)
    board = round(0.12 * m)
    picture[-board:] = picture[-board:] * 0.5 + 0.35
    picture[-board - 1 : -board + 1] *= 0.72
    return picture


def paint_window(
    picture: np.ndarray, y: int, x: int, h: int, w: int, m: float, noise: Noise, rng: Rng, view: str
) -> None:
    """A window with frame, sill and panes; `view` is "out" (bright outside), "in" (dark room) or "sky"
    (mirror)."""
    frame = max(2, round(0.06 * m))
    tone = hsv(paint_hue(rng), 0.08, rng.uniform(0.55, 0.9))
    rectangle(picture, y - frame, x - frame, y + h + frame, x + w + frame, tone)
    rectangle(picture, y + h + frame, x - 2 * frame, y + h + 2 * frame, x + w + 2 * frame, tone * 1.08)
    rectangle(picture, y + h + 2 * frame, x - frame, y + h + 3 * frame, x + w + frame, tone * 0.45)
    depth = np.linspace(0, 1, h)[:, None] + 0.12 * noise.field((h, w), 1.6)
    if view == "out":
        pane = tinted(
            np.clip(depth, 0, 1),
            [hsv(0.58, 0.12, 1.0), hsv(0.55, 0.06, 0.97), hsv(0.27, 0.35, 0.6), hsv(0.28, 0.5, 0.42)],
        )
    elif view == "sky":
        pane = tinted(
            np.clip(depth, 0, 1), [hsv(0.58, 0.28, 0.7), hsv(0.58, 0.2, 0.45), hsv(0.58, 0.15, 0.25)]
        )
    else:
        pane = tinted(np.clip(depth, 0, 1), [hsv(0.6, 0.2, 0.12), hsv(0.08, 0.3, 0.28), hsv(0.08, 0.2, 0.16)])
        curtain = w // 4
        pane[:, :curtain] = pane[:, :curtain] * 0.4 + 0.36
        pane[:, -curtain:] = pane[:, -curtain:] * 0.4 + 0.33
    rectangle(picture, y, x, y + h, x + w, pane)
    for i in range(1, 2 if w < 1.2 * m else 3):
        at = x + w * i // (2 if w < 1.2 * m else 3)
        rectangle(picture, y, at - frame // 2, y + h, at + frame // 2 + 1, tone * 0.95)
    rectangle(picture, y + h // 3 - frame // 2, x, y + h // 3 + frame // 2 + 1, x + w, tone * 0.95)
    rectangle(picture, y, x, y + max(1, frame // 2), x + w, tone * 0.4)


def paint_door(picture: np.ndarray, x: int, m: float, noise: Noise, rng: Rng) -> None:
    """A door that stands on the wall's foot."""
    h, w, frame = round(2.1 * m), round(0.95 * m), round(0.09 * m)
    top = picture.shape[0] - h
    rectangle(picture, top - frame, x - frame, top + h, x + w + frame, hsv(0.08, 0.1, rng.uniform(0.5, 0.85)))
    leaf = plain((h, w), hsv(paint_hue(rng), rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.65)))
    rectangle(picture, top, x, top + h, x + w, _shade(leaf, 0.06 * noise.field((h, w), 1.0, 1 / 8)))
    for part in (0.08, 0.54):
        y0, y1 = top + int(part * h), top + int((part + 0.36) * h)
        rectangle(picture, y0, x + w // 6, y1, x + w - w // 6, leaf[0, 0] * 0.75)
        rectangle(picture, y0 + 2, x + w // 6 + 2, y1, x + w - w // 6, leaf[0, 0] * 1.06)
    rectangle(
        picture,
        top + h // 2,
        x + w - w // 7,
        top + h // 2 + round(0.05 * m),
        x + w - w // 16,
        hsv(0.12, 0.3, 0.8),
    )


def paint_sign(picture: np.ndarray, y: int, x: int, h: int, m: float, rng: Rng, count: int) -> None:
    """A board with letter-like signs."""
    text = glyphs(max(5, int(h * 0.55)), count, rng)
    board = hsv(paint_hue(rng), rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.8))
    rectangle(picture, y, x, y + h, x + text.shape[1] + h, board)
    rectangle(picture, y + h, x, y + h + 2, x + text.shape[1] + h, board * 0.35)
    colour = np.array([0.95, 0.93, 0.85]) if board.mean() < 0.55 else np.array([0.1, 0.1, 0.12])
    ink(picture, y + (h - text.shape[0]) // 2, x + h // 2, text, colour)


def paint_picture(picture: np.ndarray, y: int, x: int, h: int, w: int, noise: Noise, rng: Rng) -> None:
    """A framed painting or poster with a shadow."""
    rectangle(picture, y + 3, x + 2, y + h + 4, x + w + 4, picture[y + h + 2, x] * 0.7)
    rectangle(picture, y, x, y + h, x + w, hsv(rng.uniform(0.05, 0.12), 0.4, rng.uniform(0.15, 0.7)))
    edge = max(2, min(h, w) // 12)
    hue = paint_hue(rng)
    colours = [
        hsv((hue + rng.normal(0, 0.07)) % 1, rng.uniform(0.1, 0.45), v) for v in (0.2, 0.45, 0.65, 0.85)
    ]
    rectangle(
        picture,
        y + edge,
        x + edge,
        y + h - edge,
        x + w - edge,
        tinted(0.5 + 0.22 * noise.field((h, w), 1.5), colours),
    )


def books(high: int, wide: int, m: float, noise: Noise, rng: Rng) -> np.ndarray:
    """Shelves full of books, files and gaps."""
    picture = plain((high, wide), hsv(0.08, 0.4, 0.2))
    shelf = round(0.34 * m)
    for y in range(0, high - shelf + 1, shelf):
        x = 0
        while x < wide:
            w = int(rng.integers(max(2, int(0.02 * m)), max(4, int(0.07 * m))))
            h = int(shelf * rng.uniform(0.55, 0.86))
            if rng.random() > 0.08:
                colour = hsv(
                    rng.choice([0.02, 0.08, 0.12, 0.35, 0.58, 0.62]) + rng.uniform(0, 0.03),
                    rng.uniform(0.05, 0.6),
                    rng.uniform(0.12, 0.75),
                )
                rectangle(picture, y + shelf - h, x, y + shelf - 2, x + w, colour)
                rectangle(picture, y + shelf - h, x, y + shelf - 2, x + 1, colour * 0.6)
                rectangle(
                    picture,
                    y + shelf - int(0.8 * h),
                    x + 1,
                    y + shelf - int(0.6 * h),
                    x + w - 1,
                    colour * 1.3,
                )
            x += w
        rectangle(picture, y + shelf - 2, 0, y + shelf + 1, wide, hsv(0.08, 0.45, 0.5))
    return _shade(np.clip(picture, 0, 1), 0.04 * noise.field((high, wide), 1.0))


def sky(high: int, wide: int, noise: Noise, rng: Rng, cloudy: float) -> np.ndarray:
    """A sky from zenith (top row) to horizon, with clouds."""
    y = np.linspace(0, 1, high)[:, None] * np.ones((1, wide))
    hue = rng.uniform(0.56, 0.61)
    blue = tinted(y**1.5, [hsv(hue, 0.55, 0.62), hsv(hue, 0.35, 0.82), hsv(hue, 0.10, 0.95)])
    cloud = noise.field((high, wide), 1.75, 2.2)
    weight = np.clip(0.5 * cloud + cloudy, 0, 1)[..., None] ** 1.3
    body = soften(cloud, 2.5)
    lit = 0.88 + 0.9 * (body - np.roll(body, 6, axis=0))
    return np.clip(
        blue + weight * (np.clip(lit, 0.66, 1.0)[..., None] * np.array([1.0, 0.99, 0.98]) - blue), 0, 1
    )
