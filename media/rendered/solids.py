"""Solids that bodies and things are made of: tapered capsules, ellipsoids and boxes, over time.

A solid is one row of numbers per instant (see the column names below); `raster.py` casts rays at them. Rows
are made for all T instants at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

ORIGIN, AXES, LENGTH, RADIUS_A, RADIUS_B, END, BOUND_A, BOUND_B, COLUMNS = 0, 3, 12, 13, 14, 15, 18, 19, 20
"""Columns of a solid: its local frame's origin (3), world-to-local matrix (9, rows, scaled), length along
local y and the radii at both ends in local units, the far end in the world (3), radii in metres of balls that
bound both ends."""

CONE, BOX = 0, 1
"""Kinds: a tapered capsule from y = 0 to y = LENGTH (an ellipsoid where LENGTH is 0), the box [-1, 1]^3."""

MATERIAL_COLUMNS = 8
"""Columns of a material: texture number, repeats around, v scale, v offset, tint (3, linear), gloss
(0..1)."""

TEXTURE_SIDE = 128


@dataclass(eq=False)
class Solids:
    """Solids that are drawn together, with the materials that they point to."""

    rows: list[np.ndarray] = field(default_factory=list)
    """Each (T, COLUMNS)."""
    kinds: list[int] = field(default_factory=list)
    surfaces: list[int] = field(default_factory=list)
    """Row of `materials` per solid."""
    materials: list[tuple[float, ...]] = field(default_factory=list)
    textures: list[np.ndarray] = field(default_factory=list)
    """Each (128, 128, 3) float32, linear colour."""
    owners: list[int] = field(default_factory=list)
    """Per solid: 1 for the acting figure, 2 for a thing it uses, 3 for others."""

    def texture(self, picture: np.ndarray) -> int:
        """Add a texture, return its number."""
        self.textures.append(np.ascontiguousarray(picture, dtype=np.float32))
        return len(self.textures) - 1

    def material(
        self,
        texture: int,
        repeats: float = 1.0,
        v_scale: float = 1.0,
        v_offset: float = 0.0,
        tint: tuple[float, float, float] = (1.0, 1.0, 1.0),
        gloss: float = 0.0,
    ) -> int:
        """Add a material, return its number."""
        self.materials.append((float(texture), repeats, v_scale, v_offset, *tint, gloss))
        return len(self.materials) - 1

    def cone(
        self,
        start: np.ndarray,
        end: np.ndarray,
        radii: tuple[float, float],
        facing: np.ndarray,
        surface: int,
        owner: int,
        flat: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        """A tapered capsule from `start` to `end` (T, 3), scaled by `flat` across and along `facing` (T,
        3)."""
        span = end - start
        length = np.maximum(np.linalg.norm(span, axis=1), 1e-4)
        along = span / length[:, None]
        ahead = facing - np.sum(facing * along, axis=1, keepdims=True) * along
        ahead = ahead / np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-6)
        across = np.cross(along, ahead)
        row = np.zeros((len(start), COLUMNS))
        row[:, ORIGIN : ORIGIN + 3] = start
        row[:, AXES : AXES + 3] = across / flat[0]
        row[:, AXES + 3 : AXES + 6] = along
        row[:, AXES + 6 : AXES + 9] = ahead / flat[1]
        row[:, LENGTH] = length
        # Balls must not contain one another, or there is no cone between them.
        row[:, RADIUS_A] = np.minimum(radii[0], radii[1] + 0.95 * length)
        row[:, RADIUS_B] = np.minimum(radii[1], radii[0] + 0.95 * length)
        row[:, END : END + 3] = end
        row[:, BOUND_A] = radii[0] * max(1.0, *flat)
        row[:, BOUND_B] = radii[1] * max(1.0, *flat)
        self._add(row, CONE, surface, owner)

    def ellipsoid(
        self,
        centre: np.ndarray,
        axes: tuple[np.ndarray, ...],
        sizes: tuple[float, ...],
        surface: int,
        owner: int,
    ) -> None:
        """An ellipsoid about `centre` (T, 3) with half sizes along three unit axes (right, up, forward)."""
        row = self._framed(centre, axes, sizes)
        row[:, RADIUS_A] = row[:, RADIUS_B] = 1.0
        row[:, BOUND_A] = row[:, BOUND_B] = max(sizes)
        self._add(row, CONE, surface, owner)

    def box(
        self,
        centre: np.ndarray,
        axes: tuple[np.ndarray, ...],
        sizes: tuple[float, ...],
        surface: int,
        owner: int,
    ) -> None:
        """A box about `centre` (T, 3) with half sizes along three unit axes (right, up, forward)."""
        row = self._framed(centre, axes, sizes)
        row[:, BOUND_A] = row[:, BOUND_B] = float(np.linalg.norm(sizes))
        self._add(row, BOX, surface, owner)

    def packed(self) -> Packed:
        """All of it as arrays for the kernels."""
        return Packed(
            np.ascontiguousarray(np.stack(self.rows, axis=1)),
            np.array(self.kinds, dtype=np.int32),
            np.array(self.surfaces, dtype=np.int32),
            np.array(self.materials, dtype=np.float64),
            np.stack(self.textures),
            np.array(self.owners, dtype=np.int32),
        )

    @staticmethod
    def _framed(centre: np.ndarray, axes: tuple[np.ndarray, ...], sizes: tuple[float, ...]) -> np.ndarray:
        row = np.zeros((len(centre), COLUMNS))
        row[:, ORIGIN : ORIGIN + 3] = row[:, END : END + 3] = centre
        for i, (axis, size) in enumerate(zip(axes, sizes)):
            row[:, AXES + 3 * i : AXES + 3 * i + 3] = axis / size
        return row

    def _add(self, row: np.ndarray, kind: int, surface: int, owner: int) -> None:
        self.rows.append(row)
        self.kinds.append(kind)
        self.surfaces.append(surface)
        self.owners.append(owner)


@dataclass(frozen=True, eq=False)
class Packed:
    """Solids as arrays."""

    rows: np.ndarray
    """(T, n, COLUMNS) float64."""
    kinds: np.ndarray
    surfaces: np.ndarray
    materials: np.ndarray
    """(m, MATERIAL_COLUMNS) float64."""
    textures: np.ndarray
    """(k, 128, 128, 3) float32."""
    owners: np.ndarray
    """(n,) int32."""
