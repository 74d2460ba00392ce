"""The camera: where it stands, how it follows, shakes and zooms, and how its exposure drifts.

Every movement is drawn so that its reverse in time is as likely: nothing but the figure tells the order of
frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

CAMERA_COLUMNS = 15


@dataclass(frozen=True, eq=False)
class Shot:
    """A camera over T instants."""

    rows: np.ndarray
    """(T, CAMERA_COLUMNS): position, right, up, forward, focal length in pixels, principal point."""
    gain: np.ndarray
    """(T,) exposure."""


def _drift(t: np.ndarray, rng: np.random.Generator, low: float, high: float, parts: int = 4) -> np.ndarray:
    """Band-limited noise of deviation about 1 with frequencies from `low` to `high` hertz."""
    total = np.zeros(len(t))
    for _ in range(parts):
        f = low * (high / low) ** rng.random()
        total += np.sin(2 * np.pi * f * t + rng.uniform(0, 2 * np.pi))
    return total * np.sqrt(2 / parts)


def shoot(
    t: np.ndarray,
    path: np.ndarray,
    body_height: float,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Shot:
    """Film a figure whose pelvis is over `path` (T, 2: x, z) at times `t`; `size` is (width, height) in
    pixels."""
    width, height = size
    step = max(float(np.median(np.diff(np.unique(t)))), 1e-3) if len(t) > 1 else 1.0
    smooth = ndimage.gaussian_filter1d(path, 0.25 / step, axis=0, mode="nearest")
    centre = 0.5 * (smooth.min(axis=0) + smooth.max(axis=0))
    excursion = 0.5 * float(np.ptp(smooth[:, 0]))

    share = rng.uniform(0.50, 0.68)
    focal = rng.uniform(1.05, 1.45) * max(width, height)
    nearest = centre[1] - float(smooth[:, 1].min())
    distance = focal * body_height / (share * height) + 0.6 * nearest
    room = 0.30 * width / focal * distance
    # Follow at least so far that the figure stays in the picture, at most entirely.
    least = float(np.clip(1 - room / max(excursion, 1e-6), 0, 1))
    followed = rng.uniform(least, 1.0) if least > 0 else rng.choice([0.0, rng.uniform(0, 1)])
    trucked = followed * rng.choice([0.0, 0.3, 1.0])
    style = rng.choice(["tripod", "hand", "hand", "shoulder"])
    shake = {"tripod": 0.04, "hand": 0.6, "shoulder": 1.2}[str(style)]

    offset = smooth[:, 0] - centre[0]
    pan = rng.choice([0.0, 1.0, -1.0]) * rng.uniform(0.1, 0.35) * (t - t.mean()) / max(np.ptp(t), 1e-6)
    dolly = rng.choice([0.0, 0.0, 1.0, -1.0]) * rng.uniform(0.2, 0.5) * (t - t.mean()) / max(np.ptp(t), 1e-6)
    aside = rng.uniform(-0.9, 0.9)
    position = np.empty((len(t), 3))
    position[:, 0] = centre[0] + aside + trucked * offset + dolly + 0.012 * shake * _drift(t, rng, 0.3, 1.5)
    position[:, 1] = rng.uniform(1.0, 1.75) + 0.010 * shake * _drift(t, rng, 0.3, 1.8)
    position[:, 2] = centre[1] - distance + 0.012 * shake * _drift(t, rng, 0.2, 1.0)

    aim_x = centre[0] + followed * offset + 0.4 * pan
    off_centre = rng.uniform(-0.08, 0.08) * width / focal
    yaw = np.arctan2(aim_x - position[:, 0], centre[1] - position[:, 2]) + off_centre
    yaw += 0.004 * shake * _drift(t, rng, 0.4, 3.0) + 0.0008 * shake * _drift(t, rng, 4.0, 9.0)
    look = body_height * rng.uniform(0.50, 0.58)
    pitch = np.arctan2(look - position[:, 1], distance) + 0.004 * shake * _drift(t, rng, 0.4, 3.0)
    pitch += 0.0008 * shake * _drift(t, rng, 4.0, 9.0)
    roll = rng.normal(0, 0.008) + 0.003 * shake * _drift(t, rng, 0.3, 1.5)
    zoom = (
        rng.choice([0.0, 0.0, 0.0, 1.0, -1.0])
        * rng.uniform(0.08, 0.16)
        * np.sin(np.pi * (t - t.mean()) / max(np.ptp(t), 1e-6))
    )

    forward = np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=1)
    right = np.stack([np.cos(yaw), np.zeros(len(t)), -np.sin(yaw)], axis=1)
    up = np.cross(forward, right)
    c, s = np.cos(roll)[:, None], np.sin(roll)[:, None]
    rows = np.empty((len(t), CAMERA_COLUMNS))
    rows[:, 0:3], rows[:, 3:6], rows[:, 6:9], rows[:, 9:12] = (
        position,
        c * right + s * up,
        c * up - s * right,
        forward,
    )
    rows[:, 12] = focal * np.exp(zoom)
    rows[:, 13], rows[:, 14] = 0.5 * width, 0.5 * height
    gain = np.exp(rng.normal(0, 0.08) + rng.uniform(0, 0.045) * _drift(t, rng, 0.15, 0.5, 2))
    return Shot(rows, gain)


def project(points: np.ndarray, camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Project points (n, 3) by one camera row: positions (n, 2) in pixels (x, y), depths (n,) in metres."""
    relative = points - camera[0:3]
    seen = relative @ np.stack([camera[3:6], camera[6:9], camera[9:12]], axis=1)
    depth = np.maximum(seen[:, 2], 1e-3)
    xy = np.stack(
        [camera[13] + camera[12] * seen[:, 0] / depth, camera[14] - camera[12] * seen[:, 1] / depth], axis=1
    )
    return xy, seen[:, 2]
