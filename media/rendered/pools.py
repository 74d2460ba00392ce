"""What differs between the splits: ranges and lists that have no member in common.

Every attribute of a clip that a recognizer could learn by heart (body, tempo, direction, clothes, place) is
drawn from the pool of its split, so a score on test is a score on unseen bodies, clothes and places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SECTORS = 32
"""Directions of facing are dealt to the splits in sectors of 360 / SECTORS degrees."""


@dataclass(frozen=True)
class Pool:
    """The values that one split may use."""

    height: tuple[float, float]
    """Body height in metres."""
    build: tuple[float, float]
    """Thickness of limbs and trunk, 1 = average."""
    tempo: tuple[float, float]
    """Speed of every motion, 1 = average."""
    sectors: tuple[int, ...]
    """Sectors (see SECTORS), modulo 4, in which the figure may face."""
    fabrics: tuple[str, ...]
    """Patterns of cloth (fabrics.py)."""
    hues: tuple[tuple[float, float], ...]
    """Ranges of hue (0..1) of clothes."""
    places: tuple[str, ...]
    """Places (places.py)."""

    def heading(self, rng: np.random.Generator, centre: float, spread: float) -> float:
        """Draw a direction of facing in radians near `centre` (within about `spread`) from the split's
        sectors."""
        width = 2 * np.pi / SECTORS
        wish = centre + rng.uniform(-spread, spread)
        own = np.array([k for k in range(SECTORS) if k % 4 in self.sectors])
        middles = (own + 0.5) * width
        distance = np.abs((middles - wish + np.pi) % (2 * np.pi) - np.pi)
        return float(own[int(np.argmin(distance))] * width + rng.uniform(0.02, 0.98) * width)


POOLS: dict[str, Pool] = {
    "train": Pool(
        height=(1.60, 1.80),
        build=(0.94, 1.12),
        tempo=(0.95, 1.12),
        sectors=(0, 1),
        fabrics=("plain", "stripes", "checks", "denim", "print"),
        hues=((0.0, 0.08), (0.28, 0.36), (0.55, 0.63), (0.90, 0.98)),
        places=("park", "street", "living_room", "gym", "office", "car_park"),
    ),
    "val": Pool(
        height=(1.50, 1.59),
        build=(1.13, 1.22),
        tempo=(0.86, 0.94),
        sectors=(2,),
        fabrics=("bands", "twill", "dots", "badge"),
        hues=((0.09, 0.14), (0.40, 0.48), (0.72, 0.80)),
        places=("meadow", "corridor", "square"),
    ),
    "test": Pool(
        height=(1.81, 1.94),
        build=(0.84, 0.93),
        tempo=(1.13, 1.24),
        sectors=(3,),
        fabrics=("tartan", "mottle", "ribs", "number"),
        hues=((0.15, 0.26), (0.49, 0.54), (0.64, 0.71), (0.82, 0.88)),
        places=("beach", "classroom", "courtyard"),
    ),
}
