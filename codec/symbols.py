"""The symbols of a frame: what travels, before it is coded and after it is parsed.

A *position* is 16x16 luma and two 8x8 chroma blocks. Positions stand in raster order, `columns` a row.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

# How a position is predicted. MERGE kinds take a vector from positions of the same packet.
MEDIAN, FIRST, SECOND, ZERO, NEW, SPLIT, INTRA = range(7)
LOST = 255  # nothing of the position arrived

# How its residual is coded.
NONE, BLOCKS8, BLOCK16 = range(3)

# Which picture it is predicted from.
LAST, LONG = 0, 1

BLOCKS = 6  # four luma and two chroma blocks of 8x8
COEFFICIENTS = 384
MAX_LEVEL = 2047
MAX_VECTOR = 1023  # quarter samples
INTRA_STEPS = 4  # step choices of an intra position


@dataclass(frozen=True, eq=False)
class FrameSymbols:
    """All symbols of one frame (or of the coarse copies that its packets carry for each other).

    kind: (P,) uint8, MEDIAN .. INTRA, or LOST.
    reference: (P,) uint8, LAST or LONG; 0 for intra.
    vectors: (P, 4, 2) int16, x and y in quarter luma samples for each 8x8 block (the same four unless SPLIT).
    transform: (P,) uint8, NONE, BLOCKS8 or BLOCK16.
    step: (P,) uint8, 0 to 3, the signalled step of intra positions; 0 elsewhere.
    modes: (P, 6) uint8, the level-table class of each block, 0 = no levels (luma of BLOCK16: entry 0).
    levels: (P, 384) int16: 4x64 or 256 luma, then 64 Cb, 64 Cr, by frequency (row by row).
    """

    columns: int
    rows: int
    kind: np.ndarray
    reference: np.ndarray
    vectors: np.ndarray
    transform: np.ndarray
    step: np.ndarray
    modes: np.ndarray
    levels: np.ndarray

    @classmethod
    def lost(cls, columns: int, rows: int) -> FrameSymbols:
        """A frame of which nothing arrived."""
        p = columns * rows
        return cls(
            columns,
            rows,
            np.full(p, LOST, np.uint8),
            np.zeros(p, np.uint8),
            np.zeros((p, 4, 2), np.int16),
            np.zeros(p, np.uint8),
            np.zeros(p, np.uint8),
            np.zeros((p, BLOCKS), np.uint8),
            np.zeros((p, COEFFICIENTS), np.int16),
        )

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The seven arrays in the order that the kernels take them."""
        return tuple(getattr(self, f.name) for f in fields(self)[2:])

    @property
    def received(self) -> np.ndarray:
        """(P,) bool."""
        return self.kind != LOST

    def copy(self) -> FrameSymbols:
        return FrameSymbols(self.columns, self.rows, *(a.copy() for a in self.arrays))

    def take(self, other: FrameSymbols, positions: np.ndarray) -> None:
        """Overwrite `positions` by those of `other`."""
        for mine, theirs in zip(self.arrays, other.arrays):
            mine[positions] = theirs[positions]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrameSymbols) and all(
            np.array_equal(a, b) for a, b in zip(self.arrays, other.arrays)
        )

    __hash__ = None

    def __repr__(self) -> str:
        n = int(self.received.sum())
        return f"FrameSymbols({self.columns}x{self.rows} positions, {n} of {self.kind.size} received)"
