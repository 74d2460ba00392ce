"""The levels of one block: each among the two around its coefficient and zero, and the best of all level tables.

The innermost part of `rdo.py`; see there.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit
from t4vcodec.codec.contexts import (
    CHROMA,
    CHROMA_INTRA,
    CHROMA_MODES,
    ESCAPE,
    FREQUENCIES,
    FREQUENCY8,
    FREQUENCY16,
    LEVEL,
    LEVEL_CLASSES,
    LUMA8_INTRA,
    LUMA16,
    LUMA16_INTRA,
    LUMA_MODES,
    MODE_BASE,
    NEIGHBOUR_SUMS,
    SCAN8,
    SCAN16,
    level_context,
)
from t4vcodec.codec.symbols import MAX_LEVEL
from t4vcodec.codec.syntax import bit_length
from t4vcodec.codec.tables import Tables

_SMALLEST = 0.55  # in steps: what is below is never worth a level
_SUM_CLASS = np.array([0, 1, 1, 2, 2, 3, 3, 3, 3, *[4] * 13], dtype=np.int64)  # of `contexts.neighbour_sum`


def _reach(scan: np.ndarray, size: int) -> np.ndarray:
    """(size * size,) by frequency: where in the scan the last of those ends that a level is a neighbour of."""
    place = np.argsort(scan).reshape(size, size)
    padded = np.pad(place, ((0, 2), (0, 2)), constant_values=-1)
    return 1 + np.max([padded[v : v + size, u : u + size] for v, u in _HIGHER], axis=0).ravel()


_HIGHER = ((0, 1), (0, 2), (1, 0), (2, 0), (1, 1))
_REACH8 = _reach(SCAN8, 8)
_REACH16 = _reach(SCAN16, 16)


@lru_cache(maxsize=4)
def coding_tables(tables: Tables) -> tuple[np.ndarray, ...]:
    """What the kernels here take of the tables: row, cost, the bits of a 0 by context (CONTEXTS,), and those of
    a block of zeros by level class (34,), without its DC where that is coded apart."""
    zeros = tables.cost[tables.row, 0]
    alone = zeros[LEVEL:].reshape(LEVEL_CLASSES, FREQUENCIES, NEIGHBOUR_SUMS)[:, :, 0]
    all_zero = alone.sum(1)
    large = slice(MODE_BASE[LUMA16], MODE_BASE[CHROMA])
    all_zero[large] = alone[large][:, FREQUENCY16].sum(1)
    for intra, modes in ((LUMA8_INTRA, LUMA_MODES), (LUMA16_INTRA, LUMA_MODES), (CHROMA_INTRA, CHROMA_MODES)):
        first = MODE_BASE[intra]
        all_zero[first : first + modes] -= alone[first : first + modes, 0]
    return tables.row, tables.cost, zeros, all_zero


@njit(cache=True, nogil=True)
def magnitude_bits(row, cost, context, magnitude):
    """Bits of a level's magnitude and sign."""
    table = row[context]
    if magnitude < ESCAPE:
        return cost[table, magnitude] + (1.0 if magnitude > 0 else 0.0)
    return cost[table, ESCAPE] + 5.0 + bit_length(magnitude - ESCAPE + 1) - 1


@njit(cache=True, nogil=True)
def _lend(sums, size, i, magnitude):
    """Add a level's magnitude at frequency i to the sums of the higher frequencies that it is a neighbour of."""
    m = min(magnitude, 3)
    u = i % size
    v = i // size
    right = u + 1 < size
    below = v + 1 < size
    if right:
        sums[i + 1] += 2 * m
        if u + 2 < size:
            sums[i + 2] += m
    if below:
        sums[i + size] += 2 * m
        if v + 2 < size:
            sums[i + 2 * size] += m
        if right:
            sums[i + size + 1] += m


@njit(cache=True, nogil=True, fastmath=True)
def quantise_block(
    coef, base, size, first, step, lam, level_class, points, tables, wanted, last, total, out, sums
):
    """Levels of one block by table class `level_class` into out[:size * size]; returns J and whether all are 0.

    coef[base:] are the coefficients in raster order. The DC (first = 1) is left alone. wanted: (size * size,)
    bool in scan order, the coefficients that may be worth a level, of which the last is at `last`. total: the
    squared error of the others and the bits of a block of zeros. So a zero among zeros, what most coefficients
    are, is accounted for before and not looked at.
    """
    row, cost, zeros, all_zero = tables
    scan = SCAN8 if size == 8 else SCAN16
    frequency = FREQUENCY8 if size == 8 else FREQUENCY16
    area = size * size
    inverse = 1.0 / step
    p1 = points[level_class, 0] / 256.0
    p2 = points[level_class, 1] / 256.0
    for i in range(area):
        sums[i] = 0
    for i in range(first, area):
        out[i] = 0
    end = last + 1
    reach = _REACH8 if size == 8 else _REACH16
    if first == 1 and out[0] != 0:
        _lend(sums, size, 0, abs(np.int64(out[0])))
        end = max(end, reach[0])
    start = level_context(level_class, 0, 0)
    empty = True
    n = first
    while n < end:
        i = scan[n]
        n += 1
        near = sums[i]
        if near == 0 and not wanted[n - 1]:
            continue
        context = start + frequency[i] * NEIGHBOUR_SUMS
        nothing = zeros[context]
        context += _SUM_CLASS[near]
        zero = lam * zeros[context]
        if not wanted[n - 1]:
            total += zero - lam * nothing
            continue
        c = coef[base + i]
        a = abs(c)
        best = a * a + zero
        chosen = 0
        top = min(int(a * inverse + 0.5 + p2), MAX_LEVEL)
        for magnitude in range(max(top - 1, 1), top + 1):
            e = (magnitude - (p1 if magnitude == 1 else p2)) * step - a
            j = e * e + lam * magnitude_bits(row, cost, context, magnitude)
            if j < best:
                best = j
                chosen = magnitude
        total += best - lam * nothing
        if chosen != 0:
            empty = False
            out[i] = -chosen if c < 0 else chosen
            _lend(sums, size, i, chosen)
            end = max(end, reach[i])
    return total, empty


@njit(cache=True, nogil=True, fastmath=True)
def best_mode(
    coef,
    base,
    size,
    first,
    step,
    lam,
    block_class,
    modes,
    mode_context,
    points,
    tables,
    out,
    out_base,
    scratch,
):
    """Try every mode of a block; levels of the best into out[out_base:]. Returns mode and J.

    scratch: levels (256,) int16, sums of neighbours (256,) uint8, which coefficients matter (256,) bool.
    """
    row, cost, zeros, all_zero = tables
    levels, sums, wanted = scratch
    area = size * size
    square = np.float32(0)
    largest = np.float32(0)
    for i in range(first, area):
        e = coef[base + i] * coef[base + i]
        square += e
        largest = max(largest, e)
    best = square + lam * cost[row[mode_context], 0]
    mode = 0
    for i in range(first, area):
        out[out_base + i] = 0
    smallest = np.float32(_SMALLEST * step)
    smallest *= smallest
    if largest <= smallest:
        return mode, best
    if first == 1:
        levels[0] = out[out_base]
    scan = SCAN8 if size == 8 else SCAN16
    last = 0
    rest = 0.0  # squared error of what is left out whatever the mode
    for n in range(first, area):
        e = coef[base + scan[n]] * coef[base + scan[n]]
        wanted[n] = e > smallest
        if wanted[n]:
            last = n
        else:
            rest += np.float64(e)
    for m in range(1, modes + 1):
        bits = cost[row[mode_context], m]
        if lam * bits >= best:
            continue
        level_class = MODE_BASE[block_class] + m - 1
        j, empty = quantise_block(
            *(coef, base, size, first, step, lam, level_class, points, tables, wanted, last),
            *(rest + lam * (bits + all_zero[level_class]), levels, sums),
        )
        if j < best and not empty:
            best = j
            mode = m
            for i in range(first, area):
                out[out_base + i] = levels[i]
    return mode, best
