"""How much of a picture is guessed: a map that goes with every picture a decoder keeps.

One value for each 8x8 luma block, from 0 (what the encoder has) to 1 (concealed in this frame). It follows the
motion, fades slowly where a residual arrives, and is zero where an intra position does. The synthesis network
reads it; no symbol depends on it.
"""

from __future__ import annotations

import numpy as np
from t4vcodec.codec.symbols import INTRA, LONG, NONE, FrameSymbols

COARSE = 0.5  # of a position known by its coarse copy only
FADING = 0.97  # of damage that is predicted on
MENDING = 0.8  # of damage under a residual that arrived


def blocks_from_positions(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """(P,) -> (2 rows, 2 columns)."""
    return values.reshape(rows, columns).repeat(2, 0).repeat(2, 1)


def damage_after(
    symbols: FrameSymbols,
    lost: np.ndarray,
    coarse: np.ndarray,
    last: np.ndarray | None,
    long: np.ndarray | None,
) -> np.ndarray | None:
    """Damage of a frame's picture, (2 rows, 2 columns) float32, or None where there is none at all.

    symbols: nothing LOST (concealed). lost, coarse: (P,) bool, positions of which nothing or a copy only came.
    last, long: damage of the references.
    """
    rows, columns = symbols.rows, symbols.columns
    if last is None and long is None and not lost.any() and not coarse.any():
        return None
    y, x = np.mgrid[0 : 2 * rows, 0 : 2 * columns]
    v = symbols.vectors.reshape(rows, columns, 2, 2, 2).transpose(0, 2, 1, 3, 4).reshape(*y.shape, 2)
    fy = np.clip(y + ((v[..., 1].astype(int) + 16) >> 5), 0, 2 * rows - 1)
    fx = np.clip(x + ((v[..., 0].astype(int) + 16) >> 5), 0, 2 * columns - 1)
    none = np.zeros(y.shape, np.float32)
    from_last = (none if last is None else last)[fy, fx]
    from_long = (none if long is None else long)[fy, fx]
    to_blocks = [
        blocks_from_positions(a, rows, columns)
        for a in (symbols.reference == LONG, symbols.transform != NONE, symbols.kind == INTRA, lost, coarse)
    ]
    is_long, coded, intra, gone, copied = to_blocks
    carried = np.where(is_long, from_long, from_last) * np.where(coded, MENDING, FADING)
    carried = np.where(intra, 0.0, carried)
    carried = np.where(copied, np.maximum(carried, COARSE), carried)
    return np.where(gone, 1.0, carried).astype(np.float32)
