"""Textures with the statistics of real surfaces: spectral noise and what is drawn with it.

Pictures are (h, w, 3) float32 of perceptual value in 0..1 (the root of linear light) unless said otherwise.
"""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

_SIDE = 512


class Noise:
    """Fields of tileable noise with mean 0 and deviation 1, drawn once and reused at random offsets.

    Amplitude falls as f^-slope: natural pictures have a slope near 1 (Field 1987), rough ground less, stains
    more.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        spectrum = rng.standard_normal((2, _SIDE, _SIDE // 2 + 1), dtype=np.float32)
        self._white = spectrum[0] + 1j * spectrum[1]
        fy, fx = np.meshgrid(fft.fftfreq(_SIDE), fft.rfftfreq(_SIDE), indexing="ij")
        self._fy, self._fx = (fy * _SIDE).astype(np.float32), (fx * _SIDE).astype(np.float32)
        self._known: dict[tuple[float, float, float], np.ndarray] = {}

    def field(
        self, shape: tuple[int, int], slope: float, stretch: float = 1.0, coarsest: float = 2.0
    ) -> np.ndarray:
        """A field of `shape`; `stretch` > 1 draws grain out along the rows, `coarsest` is the lowest
        frequency kept."""
        key = (slope, stretch, coarsest)
        if key not in self._known:
            radius = np.sqrt((self._fy / np.sqrt(stretch)) ** 2 + (self._fx * np.sqrt(stretch)) ** 2)
            gain = np.where(radius >= coarsest, np.maximum(radius, 1.0) ** -slope, 0.0).astype(np.float32)
            made = fft.irfft2(self._white * gain, s=(_SIDE, _SIDE), workers=1)
            self._known[key] = ((made - made.mean()) / made.std()).astype(np.float32)
        made = self._known[key]
        made = np.roll(made, tuple(self._rng.integers(0, _SIDE, 2)), axis=(0, 1))
        if self._rng.random() < 0.5:
            made = made[::-1]
        rows, columns = -(-shape[0] // _SIDE), -(-shape[1] // _SIDE)
        return np.tile(made, (rows, columns))[: shape[0], : shape[1]]


def plain(shape: tuple[int, int], colour: np.ndarray) -> np.ndarray:
    """One colour (3,) everywhere."""
    return np.broadcast_to(np.asarray(colour, np.float32), (*shape, 3)).copy()


def tinted(values: np.ndarray, colours: list[np.ndarray]) -> np.ndarray:
    """Map values (h, w) in 0..1 through a ramp of colours."""
    steps = np.linspace(0, 1, len(colours))
    ramp = np.asarray(colours, np.float32)
    return np.stack([np.interp(values, steps, ramp[:, c]) for c in range(3)], axis=-1).astype(np.float32)


def hsv(h: float, s: float, v: float) -> np.ndarray:
    """R'G'B' of hue, saturation, value (0..1), after Smith 1978."""
    k = (np.array([5.0, 3.0, 1.0]) + 6 * h) % 6
    return (v - v * s * np.clip(np.minimum(k, 4 - k), 0, 1)).astype(np.float32)


def paint_hue(rng: np.random.Generator) -> float:
    """A hue that walls, furniture and cars are painted in: reds, browns, ochres, greens, blues."""
    return float(rng.choice([0.0, 0.03, 0.07, 0.10, 0.13, 0.30, 0.40, 0.54, 0.59, 0.63])) + rng.uniform(
        0, 0.025
    )


def soften(picture: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian blur of an (h, w) or (h, w, 3) picture."""
    sigma = (radius, radius, 0) if picture.ndim == 3 else radius
    return ndimage.gaussian_filter(picture, sigma, mode="nearest", truncate=2.5)


def rectangle(picture: np.ndarray, y0: float, x0: float, y1: float, x1: float, colour: object) -> None:
    """Fill a rectangle given in texels; `colour` is (3,) or a picture's patch source (h, w, 3) to copy
    from."""
    ys, xs = slice(max(0, int(y0)), max(0, int(y1))), slice(max(0, int(x0)), max(0, int(x1)))
    target = picture[ys, xs]
    fill = np.asarray(colour, np.float32)
    target[...] = fill if fill.ndim == 1 else fill[: target.shape[0], : target.shape[1]]


def bricks(
    shape: tuple[int, int],
    size: tuple[int, int],
    gap: int,
    noise: Noise,
    rng: np.random.Generator,
    stagger: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """A wall of bricks or tiles of `size` (h, w) texels: per-brick random numbers (h, w) and a mask of the
    joints.

    Edges of joints are worn by noise, so that no two bricks are alike.
    """
    wear = noise.field(shape, 0.9) * 0.7
    y, x = np.indices(shape, dtype=np.float32)
    y, x = y + wear, x + np.roll(wear, 91, axis=0)
    row = np.floor(y / size[0])
    x = x + (row % 2) * size[1] * 0.5 * stagger
    column = np.floor(x / size[1])
    high, wide = shape[0] // size[0] + 3, shape[1] // size[1] + 3
    table = rng.random((high, wide)).astype(np.float32)
    kind = table[row.astype(int) % high, column.astype(int) % wide]
    joint = np.minimum(y - row * size[0], x - column * size[1])
    return kind, np.clip(1 - joint / gap, 0, 1)


def glyphs(height: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """A line of `count` letter-like signs, (height, w) of ink 0..1: strokes on a 5 x 3 grid."""
    letters = []
    for _ in range(count):
        if rng.random() < 0.12:
            letters.append(np.zeros((5, 2)))
            continue
        sign = np.zeros((5, 3))
        for stroke in rng.permutation(6)[: rng.integers(2, 5)]:
            (sign[:, 0], sign[:, 2], sign[0], sign[2], sign[4], sign[:, 1])[stroke][:] = 1
        letters += [sign, np.zeros((5, 1))]
    line = np.concatenate(letters, axis=1)
    step = max(1, height // 5)
    return soften(np.kron(line, np.ones((step, step))).astype(np.float32), 0.12 * step + 0.3)


def ink(picture: np.ndarray, y: int, x: int, strength: np.ndarray, colour: np.ndarray) -> None:
    """Blend `colour` over `picture` at (y, x) with `strength` (h, w); what lies outside is cut."""
    y0, x0 = max(0, -y), max(0, -x)
    patch = picture[y + y0 : y + strength.shape[0], x + x0 : x + strength.shape[1]]
    cut = strength[y0 : y0 + patch.shape[0], x0 : x0 + patch.shape[1], None]
    patch += cut * (np.asarray(colour, np.float32) - patch)


def pyramid(picture: np.ndarray, alpha: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Texels of all levels (n,) uint64, four lanes of 16 bits, and their (start, width, height), as
    planes.draw wants them."""
    high, wide = picture.shape[:2]
    cover = np.ones((high, wide), np.float32) if alpha is None else alpha.astype(np.float32)
    level = np.dstack([np.clip(picture, 0, 1) * cover[..., None], cover]).astype(np.float32)
    parts, table, start = [], [], 0
    for _ in range(8):
        high, wide = level.shape[:2]
        values = (level.reshape(-1, 4) * 255 + 0.5).astype("<u2")
        parts.append(values.view("<u8").ravel().astype(np.uint64))
        table.append((start, wide, high))
        start += high * wide
        if min(high, wide) < 2:
            break
        even = level[: high // 2 * 2, : wide // 2 * 2]
        level = 0.25 * (even[0::2, 0::2] + even[1::2, 0::2] + even[0::2, 1::2] + even[1::2, 1::2])
    return np.concatenate(parts), np.array(table, dtype=np.int64)
