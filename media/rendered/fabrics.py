"""Textures of figures and things: cloth, faces, cartons. All (128, 128, 3) float32 in linear light."""

from __future__ import annotations

import numpy as np
from t4vcodec.media.rendered.solids import TEXTURE_SIDE
from t4vcodec.media.rendered.textures import Noise, glyphs, hsv, ink, soften

_N = TEXTURE_SIDE
_V, _U = np.indices((_N, _N), dtype=np.float32) / _N


def _wave(x: np.ndarray, sharp: float = 6.0) -> np.ndarray:
    """A soft square wave in 0..1 of period 1."""
    return 0.5 + 0.5 * np.tanh(sharp * np.sin(2 * np.pi * x))


def cloth(
    pattern: str, main: np.ndarray, second: np.ndarray, noise: Noise, rng: np.random.Generator
) -> np.ndarray:
    """Cloth of a named pattern in two colours (perceptual, (3,)), with weave, folds and wear."""
    share = _pattern(pattern, noise, rng)
    picture = main + share[..., None] * (second - main)
    if pattern in ("print", "badge", "number"):
        _emblem(picture, pattern, second, rng)
    # Folds: soft dark and light bands, more across the body than along it.
    folds = 0.075 * noise.field((_N, _N), 1.6, 3.0) + 0.045 * noise.field((_N, _N), 1.0)
    weave = 0.02 * noise.field((_N, _N), 0.2, 1.0, 20.0)
    return np.clip(picture * (1 + folds + weave)[..., None], 0.02, 1) ** 2


def _pattern(pattern: str, noise: Noise, rng: np.random.Generator) -> np.ndarray:
    count = int(rng.integers(4, 8))
    if pattern in ("plain", "print", "badge", "number"):
        return np.zeros((_N, _N), np.float32)
    if pattern == "stripes":
        return _wave(_V * count)
    if pattern == "bands":
        return _wave(_V * 2 + 0.1) * (0.4 + 0.6 * _wave(_V * 4))
    if pattern == "ribs":
        return _wave(_U * 12, 1.5) * 0.6
    if pattern == "checks":
        return 0.5 * _wave(_U * count) + 0.5 * _wave(_V * count)
    if pattern == "tartan":
        wide = 0.4 * _wave(_U * 3) + 0.4 * _wave(_V * 3)
        return np.clip(wide + 0.3 * (_wave(_U * 6 + 0.2) ** 8 + _wave(_V * 6 + 0.2) ** 8), 0, 1)
    if pattern == "denim":
        return np.clip(0.3 + 0.18 * noise.field((_N, _N), 0.5, 4.0) + 0.3 * soften(_wave(_U + 0.5), 12), 0, 1)
    if pattern == "twill":
        return 0.45 * _wave((_U + _V) * 16, 1.5)
    if pattern == "dots":
        du, dv = (_U * 6 + 0.5 * np.floor(_V * 6)) % 1 - 0.5, (_V * 6) % 1 - 0.5
        return np.clip((0.3 - np.hypot(du, dv)) * 8, 0, 1)
    # mottle: camouflage
    return np.clip(0.5 + 2.5 * soften(noise.field((_N, _N), 1.4), 1.5), 0, 1)


def _emblem(picture: np.ndarray, pattern: str, colour: np.ndarray, rng: np.random.Generator) -> None:
    """A print in the middle of the chest (u = 0.5 is the front) and, for numbers, of the back."""
    if pattern == "number":
        for middle in (0, 64):
            sign = glyphs(30, 2, rng)
            ink(picture, 16, middle - sign.shape[1] // 2, sign, colour)
            ink(picture, 16, middle + 128 - sign.shape[1] // 2, sign, colour)
    elif pattern == "badge":
        ring = np.clip((14 - np.hypot(*(np.indices((30, 30)) - 15))) / 2, 0, 1)
        ink(picture, 18, 72, ring.astype(np.float32), colour)
    else:
        y = 22
        for size in (15, 10):
            sign = glyphs(size, int(rng.integers(3, 5)), rng)
            ink(picture, y, 64 - sign.shape[1] // 2, sign, colour)
            y += size + 6


def skin(tone: np.ndarray, noise: Noise) -> np.ndarray:
    """Bare skin of a perceptual tone (3,)."""
    mottled = 1 + 0.025 * noise.field((_N, _N), 1.2) + 0.012 * noise.field((_N, _N), 0.3, 1.0, 10.0)
    return np.clip(tone * mottled[..., None], 0, 1) ** 2


def hair(colour: np.ndarray, noise: Noise) -> np.ndarray:
    """Strands that run down."""
    strands = noise.field((_N, _N), 0.6, 1 / 8)
    return np.clip(colour * (1 + 0.22 * strands)[..., None], 0.01, 1) ** 2


def face(tone: np.ndarray, hair_colour: np.ndarray, noise: Noise, rng: np.random.Generator) -> np.ndarray:
    """A head, unrolled: u = 0.5 is the nose, v = 0 the crown and 1 the chin."""
    picture = np.sqrt(skin(tone, noise))
    y, x = _V, (_U - 0.5) * 2 * np.pi * 0.8
    dark = np.array([0.10, 0.07, 0.06], np.float32)

    def spot(cy: float, cx: float, ry: float, rx: float, colour: np.ndarray, strength: float) -> None:
        weight = np.clip(1.6 - 1.6 * (((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2), 0, 1) * strength
        picture[...] += weight[..., None] * (colour - picture)

    for side in (-1, 1):
        spot(0.47, side * 0.36, 0.09, 0.26, tone * 0.72, 0.6)
        spot(0.47, side * 0.36, 0.045, 0.17, np.array([0.85, 0.83, 0.8]), 0.9)
        spot(0.47, side * 0.36, 0.05, 0.085, dark, 1.0)
        spot(0.38, side * 0.37, 0.03, 0.24, hair_colour * 0.8, 0.85)
        spot(0.66, side * 0.55, 0.12, 0.22, tone * np.array([1.08, 0.86, 0.84]), 0.35)
    spot(0.65, 0, 0.035, 0.12, tone * 0.6, 0.6)
    spot(0.76, 0, 0.04, 0.25, tone * np.array([0.85, 0.5, 0.5]), 0.85)
    spot(0.93, 0, 0.05, 0.5, tone * 0.75, 0.5)
    if rng.random() < 0.25:
        beard = (
            np.clip((y - 0.68) * 8, 0, 1)
            * (np.abs(x) < 1.3)
            * (1 - np.clip(1 - np.hypot((y - 0.76) / 0.05, x / 0.28), 0, 1))
        )
        picture += (0.75 * beard)[..., None] * (hair_colour - picture)
    # The hair line: low at the back and the sides, high over the brow.
    line = 0.24 + 0.42 * np.clip((np.abs(x) - 0.95) / 0.7, 0, 1) + 0.02 * noise.field((_N, _N), 1.0)
    weight = np.clip((line - y) * 20, 0, 1)[..., None]
    picture += weight * (np.sqrt(hair(hair_colour, noise)) - picture)
    return np.clip(picture, 0.01, 1) ** 2


def carton(noise: Noise, rng: np.random.Generator) -> np.ndarray:
    """A side of a box: board, tape, print."""
    board = hsv(rng.uniform(0.07, 0.11), rng.uniform(0.3, 0.55), rng.uniform(0.6, 0.8))
    picture = board * (1 + 0.05 * noise.field((_N, _N), 1.0, 4.0))[..., None]
    picture[:, 54:74] = 0.8 * picture[:, 54:74] + 0.17
    sign = glyphs(15, 4, rng)
    ink(picture, 96, 12, sign, np.array([0.15, 0.13, 0.12]))
    edge = np.minimum(np.minimum(_U, 1 - _U), np.minimum(_V, 1 - _V))
    return np.clip(picture * (0.8 + 0.2 * np.clip(edge * 30, 0, 1))[..., None], 0, 1) ** 2


def wood(noise: Noise, rng: np.random.Generator) -> np.ndarray:
    """Varnished wood."""
    colour = hsv(rng.uniform(0.05, 0.10), rng.uniform(0.35, 0.65), rng.uniform(0.35, 0.75))
    return np.clip(colour * (1 + 0.13 * noise.field((_N, _N), 1.0, 10.0))[..., None], 0, 1) ** 2


def ball(noise: Noise, rng: np.random.Generator) -> np.ndarray:
    """A ball with panels."""
    main, second = hsv(rng.random(), rng.uniform(0.1, 0.8), 0.85), hsv(rng.random(), 0.8, 0.5)
    patch = _wave(_U * 3 + 0.3 * np.sin(2 * np.pi * _V)) * _wave(_V * 3)
    picture = main + patch[..., None] * (second - main)
    return np.clip(picture * (1 + 0.04 * noise.field((_N, _N), 1.0))[..., None], 0, 1) ** 2
