"""Integer probability tables: what the entropy coder and every decision of the encoder are made with.

Tables are weights: made by counting (`training/tables.py`), stored as integers beside the model's other
constants, and never computed from floats at run time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from t4vcodec.codec.contexts import ALPHABET, CONTEXTS, LEVEL_CLASSES, SECTIONS

TOTAL = 1 << 16


@dataclass(frozen=True, eq=False)
class Tables:
    """row: (CONTEXTS,) uint16, the table of each context.

    frequencies: (T, 24) uint16-range integers that sum to 65,536 in each row; 0 beyond a table's alphabet.
    points: (34, 2) int8, how far below the level itself a magnitude is reconstructed (negative: above), in 1/256
    steps, for magnitude 1 and for 2 and more, by level class. What survives the decisions of `rdo.py` lies
    above its level on average.
    """

    row: np.ndarray
    frequencies: np.ndarray
    points: np.ndarray

    def __post_init__(self) -> None:
        if self.row.shape != (CONTEXTS,):
            raise ValueError(f"row: expected shape ({CONTEXTS},), got {self.row.shape}")
        if self.frequencies.ndim != 2 or self.frequencies.shape[1] != ALPHABET:
            raise ValueError(f"frequencies: expected shape (T, {ALPHABET}), got {self.frequencies.shape}")
        if self.row.max() >= self.frequencies.shape[0]:
            raise ValueError("row names a table that does not exist")
        if (self.frequencies.sum(1) != TOTAL).any() or (self.frequencies < 0).any():
            raise ValueError("each table must sum to 65,536")
        for first, end, size in SECTIONS:
            used = self.frequencies[self.row[first:end]]
            if (used[:, :size] < 1).any() or used[:, size:].any():
                raise ValueError("each symbol of an alphabet needs a frequency of 1 or more, others 0")
        if self.points.shape != (LEVEL_CLASSES, 2):
            raise ValueError(f"points: expected shape ({LEVEL_CLASSES}, 2), got {self.points.shape}")

    @cached_property
    def cumulated(self) -> np.ndarray:
        """(T, 25) uint32 for the coder."""
        zero = np.zeros((self.frequencies.shape[0], 1), np.int64)
        return np.ascontiguousarray(
            np.concatenate([zero, np.cumsum(self.frequencies, 1)], 1).astype(np.uint32)
        )

    @cached_property
    def cost(self) -> np.ndarray:
        """(T, 24) float32 bits; impossible symbols cost 99."""
        with np.errstate(divide="ignore"):
            bits = -np.log2(self.frequencies / TOTAL)
        return np.minimum(bits, 99.0).astype(np.float32)

    def __repr__(self) -> str:
        return f"Tables({self.frequencies.shape[0]} tables for {CONTEXTS} contexts)"
