"""Smooth curves through key poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator
from t4vcodec.media.rendered.skeleton import CHANNELS, STANCE

Keys = Mapping[str, Sequence[tuple[float, float]]]
"""Per channel its (time in seconds, value) keys in rising time."""

Channels = dict[str, np.ndarray]

REST: dict[str, float] = {
    "left_foot_x": -STANCE,
    "right_foot_x": STANCE,
    "left_foot_yaw": -0.14,
    "right_foot_yaw": 0.14,
    "left_out": 0.13,
    "right_out": 0.13,
    "left_flex": 0.04,
    "right_flex": 0.04,
    "left_elbow": 0.25,
    "right_elbow": 0.25,
    "left_spin": -0.25,
    "right_spin": -0.25,
    "bend": 0.03,
    "nod": -0.03,
}
"""Standing at ease; channels that are not named are zero."""


def rest(t: np.ndarray) -> Channels:
    """Every channel at its rest value, each (T,)."""
    return {name: np.full(len(t), REST.get(name, 0.0)) for name in CHANNELS}


def follow(keys: Keys, t: np.ndarray) -> Channels:
    """Channels that pass through `keys`, at rest where none are given; constant before the first and after
    the last.

    Piecewise cubic Hermite interpolation after Fritsch and Carlson (PCHIP): no overshoot, so equal
    neighbouring keys give a joint (or a planted foot) that does not move at all; and the curve of the
    reversed keys is the reversed curve.
    """
    channels = rest(t)
    for name, points in keys.items():
        times = np.array([p[0] for p in points], dtype=float)
        values = np.array([p[1] for p in points], dtype=float)
        channels[name] = PchipInterpolator(times, values)(np.clip(t, times[0], times[-1]))
    return channels


def ease(x: np.ndarray) -> np.ndarray:
    """Minimum-jerk course from 0 at x <= 0 to 1 at x >= 1 (Flash and Hogan 1985)."""
    x = np.clip(x, 0.0, 1.0)
    return x**3 * (10 - 15 * x + 6 * x * x)


def alive(channels: Channels, t: np.ndarray, rng: np.random.Generator) -> Channels:
    """Add breathing and the small sway of a living body; `t` are seconds."""
    result = dict(channels)
    breath = np.sin(2 * np.pi * rng.uniform(0.25, 0.4) * t + rng.uniform(0, 2 * np.pi))
    result["bend"] = result["bend"] - 0.018 * breath
    for name, size in (
        ("x", 0.003),
        ("z", 0.003),
        ("twist", 0.03),
        ("nod", 0.05),
        ("look", 0.14),
        ("side", 0.02),
    ):
        wave = sum(
            np.sin(2 * np.pi * f * t + rng.uniform(0, 2 * np.pi)) / (1 + i)
            for i, f in enumerate((rng.uniform(0.2, 0.5), rng.uniform(0.6, 1.1)))
        )
        result[name] = result[name] + size * wave
    for side in ("left", "right"):
        for name, size in (("flex", 0.04), ("out", 0.02), ("elbow", 0.05)):
            wave = np.sin(2 * np.pi * rng.uniform(0.2, 0.6) * t + rng.uniform(0, 2 * np.pi))
            result[f"{side}_{name}"] = result[f"{side}_{name}"] + size * wave
    return result
