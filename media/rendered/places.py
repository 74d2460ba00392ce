"""Places: a floor, what stands behind it, light, and flat things at several depths.

World metres as in skeleton.py; the action happens about the origin and the camera looks along +z.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from t4vcodec.media.rendered import props, surfaces
from t4vcodec.media.rendered.planes import PLANE_COLUMNS
from t4vcodec.media.rendered.solids import BOUND_A, BOUND_B, COLUMNS, END, ORIGIN
from t4vcodec.media.rendered.textures import Noise, pyramid, soften

_FLOOR_X, _FLOOR_Z, _CELLS = (-9.0, 9.0), (-4.0, 12.0), 20.0


@dataclass(frozen=True, eq=False)
class Layer:
    """One textured plane."""

    plane: np.ndarray
    """(PLANE_COLUMNS,) as planes.py describes it."""
    texels: np.ndarray
    levels: np.ndarray
    z: float
    """Depth by which layers are sorted."""
    speed: float = 0.0
    """Metres per second along x."""

    def at(self, time: float) -> np.ndarray:
        """The plane at a time in seconds."""
        if self.speed == 0.0:
            return self.plane
        plane = self.plane.copy()
        plane[0] += self.speed * time
        return plane

    def hull(self, time: float) -> np.ndarray:
        """A capsule (1, COLUMNS) that throws about the shadow of a car in this picture."""
        half = 0.45 * float(self.levels[0, 1] / self.plane[9])
        middle = self.at(time)[0] + half / 0.9
        row = np.zeros((1, COLUMNS))
        row[0, ORIGIN : ORIGIN + 3] = middle - half + 0.4, 0.45, self.z + 0.4
        row[0, END : END + 3] = middle + half - 0.4, 0.45, self.z + 0.4
        row[0, BOUND_A] = row[0, BOUND_B] = 0.5
        return row


@dataclass(eq=False)
class Place:
    """All that stands still."""

    layers: list[Layer]
    """From far to near."""
    light: np.ndarray
    """(12,) to the sun, colour of sun, sky and floor (raster.py)."""
    floor_light: np.ndarray
    """(rows, columns) float32: light on the floor without the figures."""
    floor_at: np.ndarray
    """Corner x, z of `floor_light` and cells a metre."""
    shadow: tuple[float, float]
    """Softness and strength of shadows."""


@dataclass(eq=False)
class Stage:
    """Collects a place while it is being drawn."""

    rng: np.random.Generator
    noise: Noise
    scale: float
    """Texels a metre over those that suit pictures 352 wide."""
    back: float
    """z of the wall or of where the background begins."""
    clear: tuple[float, float]
    """z range that the action needs for itself."""
    aside: float
    """The action keeps within this |x|."""
    layers: list[Layer] = field(default_factory=list)
    floor_light: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        rows, columns = int((_FLOOR_Z[1] - _FLOOR_Z[0]) * _CELLS), int((_FLOOR_X[1] - _FLOOR_X[0]) * _CELLS)
        broad = self.noise.field((rows, columns), 1.8)
        self.floor_light = (1 + 0.06 * broad).astype(np.float32)

    def texels(self, usual: float) -> float:
        """Texels a metre for a surface that wants `usual` at 352x288."""
        return usual * self.scale

    def floor(self, make: Callable[..., np.ndarray], lines: bool = False, **settings: float) -> None:
        """Lay a floor of one of the makers of surfaces.py."""
        m = self.texels(88)
        side = (1024 if lines else 512) * (1 if self.scale < 1.5 else 2)
        picture = make(side, m, self.noise, self.rng, **settings)
        if lines:
            picture = surfaces.court_lines(picture, m, self.rng)
        shift = self.rng.uniform(-5, 5, 2)
        self._add(picture, None, (shift[0], 0, shift[1]), (1, 0, 0), (0, 0, 1), m, (1, 1, 1, 1), 900.0, 0.0)

    def wall(
        self,
        picture: np.ndarray,
        m: float,
        cover: np.ndarray | None = None,
        z: float | None = None,
        base: float = 0.0,
    ) -> None:
        """Stand a wall that repeats along x; its last row is at height `base`."""
        z = self.back if z is None else z
        top = base + picture.shape[0] / m
        flags = (1, 0, 0 if cover is not None else 1, 0)
        self._add(picture, cover, (self.rng.uniform(-9, 9), top, z), (1, 0, 0), (0, -1, 0), m, flags, z, 0.15)

    def side_wall(self, picture: np.ndarray, m: float, x: float) -> None:
        """Stand a wall along z at `x`, up to the back wall."""
        width = picture.shape[1] / m
        corner = (x, picture.shape[0] / m, self.back - width)
        self._add(picture, None, corner, (0, 0, 1), (0, -1, 0), m, (0, 0, 1, 0), 850.0, 0.2)

    def sky(self, cloudy: float) -> None:
        """A sky, far enough not to move when the camera does."""
        picture = surfaces.sky(384, 1024, self.noise, self.rng, cloudy)
        self._add(
            picture,
            None,
            (self.rng.uniform(-400, 400), 170, 400),
            (1, 0, 0),
            (0, -1, 0),
            2.0,
            (1, 0, 1, 0),
            1e4,
            0.0,
        )

    def prop(
        self,
        make: Callable[..., props.Picture],
        z: float,
        x: float,
        m: float = 70.0,
        blur: float = 0.0,
        speed: float = 0.0,
    ) -> None:
        """Stand a flat thing of one of the makers of props.py at x (its middle), z, with its dark foot on the
        floor."""
        m = self.texels(m)
        picture, cover = make(m, self.noise, self.rng)
        # Things that drive have their nose at the right.
        if speed < 0 or (speed == 0 and self.rng.random() < 0.5):
            picture, cover = picture[:, ::-1], cover[:, ::-1]
        width, height = picture.shape[1] / m, picture.shape[0] / m
        self._add(
            picture,
            cover,
            (x - width / 2, height, z),
            (1, 0, 0),
            (0, -1, 0),
            m,
            (0, 0, 0, 0),
            z,
            0.2 + blur,
            speed,
        )
        if speed != 0:
            return
        base = np.flatnonzero(cover[-max(1, len(cover) // 10) :].max(axis=0) > 0.5)
        if len(base):
            left, right = x - width / 2 + base[0] / m, x - width / 2 + base[-1] / m
            self.darken(left, right, z - 0.12, z + 0.35, 0.6)

    def darken(self, x0: float, x1: float, z0: float, z1: float, amount: float, blur: float = 0.18) -> None:
        """Take `amount` (0..1) of the light from a rectangle of the floor, with soft edges; negative adds
        light."""
        mask = np.zeros_like(self.floor_light)
        ys, xs = np.array([z0, z1]) - _FLOOR_Z[0], np.array([x0, x1]) - _FLOOR_X[0]
        ys, xs = (
            np.clip(ys * _CELLS, 0, mask.shape[0]).astype(int),
            np.clip(xs * _CELLS, 0, mask.shape[1]).astype(int),
        )
        mask[ys[0] : ys[1], xs[0] : xs[1]] = 1
        self.floor_light *= 1 - amount * soften(mask, blur * _CELLS)

    def scatter(
        self, make: Callable[..., props.Picture], count: int, z: tuple[float, float], spread: float = 7.0
    ) -> None:
        """Stand `count` things at depths `z` (beyond the action), spread over x."""
        low = max(z[0], self.clear[1] + 0.8)
        for i in range(count):
            at = -spread + 2 * spread * (i + self.rng.random()) / count
            self.prop(make, self.rng.uniform(low, max(z[1], low + 0.3)), at)

    def foreground(self, make: Callable[..., props.Picture], chance: float = 0.45) -> None:
        """Sometimes stand something out of focus before the action, at the picture's side."""
        if self.rng.random() < chance:
            side = self.rng.choice([-1.0, 1.0])
            self.prop(
                make, self.clear[0] - self.rng.uniform(0.5, 0.9), side * self.rng.uniform(1.5, 1.9), 60.0, 1.6
            )

    def sunlight(self, clear_sky: bool, warm: float = 0.0) -> np.ndarray:
        """Light of a sun at 30 to 60 degrees from either side, in front of the camera's subject or behind the
        camera."""
        azimuth, height = self.rng.uniform(-1.2, 1.2), self.rng.uniform(0.65, 1.05)
        toward = np.array(
            [np.sin(azimuth) * np.cos(height), np.sin(height), -np.cos(azimuth) * np.cos(height)]
        )
        sun, ambient = (0.95, 0.48) if clear_sky else (0.30, 0.80)
        return np.concatenate(
            [
                toward,
                sun * np.array([1.0, 0.95 - warm, 0.86 - 2 * warm]),
                ambient * np.array([0.93, 0.98, 1.08]),
                0.22 * np.ones(3),
            ]
        )

    def lamps(self) -> np.ndarray:
        """Light of a room: lamps overhead, a window to one side."""
        side = self.rng.uniform(-0.5, 0.5)
        toward = np.array([side, 0.9, self.rng.uniform(-0.6, -0.25)])
        toward /= np.linalg.norm(toward)
        return np.concatenate(
            [
                toward,
                0.52 * np.array([1.0, 0.95, 0.87]),
                0.52 * np.array([1.0, 0.98, 0.95]),
                0.26 * np.array([1.0, 0.95, 0.9]),
            ]
        )

    def finished(self, light: np.ndarray, soft: float, strength: float) -> Place:
        """The place, with its layers from far to near."""
        return Place(
            sorted(self.layers, key=lambda layer: -layer.z),
            light,
            self.floor_light,
            np.array([_FLOOR_X[0], _FLOOR_Z[0], _CELLS]),
            (soft, strength),
        )

    def _add(
        self,
        picture: np.ndarray,
        cover: np.ndarray | None,
        corner: tuple[float, ...],
        s: tuple[float, ...],
        t: tuple[float, ...],
        m: float,
        flags: tuple[int, ...],
        z: float,
        bias: float,
        speed: float = 0.0,
    ) -> None:
        texels, levels = pyramid(picture, cover)
        plane = np.zeros(PLANE_COLUMNS)
        plane[0:3], plane[3:6], plane[6:9], plane[9], plane[10], plane[11:15] = corner, s, t, m, bias, flags
        self.layers.append(Layer(plane, texels, levels, z, speed))
