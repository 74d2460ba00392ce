"""Motion search: for each position and each of its 8x8 blocks the vector with the least SAD + lambda R.

Predictive search (candidates from neighbours and from the frame before, then shrinking diamonds) on the
quarter-sample phases of the reference. It only proposes; `decide.py` chooses with the true tables.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from t4vcodec.codec.compensation import BORDER
from t4vcodec.codec.sad import sad8x8
from t4vcodec.codec.symbols import MAX_VECTOR

_DIAMOND = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]], dtype=np.int64)
_RING = np.array([[-1, -1], [0, -1], [1, -1], [-1, 0], [1, 0], [-1, 1], [0, 1], [1, 1]], dtype=np.int64)
_BITS = np.array([1.7 * n.bit_length() for n in range(2 * MAX_VECTOR + 1)])


@njit(cache=True, nogil=True)
def clamped(v, corner, size, extent):
    """A vector component clamped so that a block of `size` at `corner` stays within the border."""
    return min(max(v, -4 * (corner + BORDER)), 4 * (extent + BORDER - size - corner))


@njit(cache=True, nogil=True)
def vector_bits(dx, dy):
    """Rough bits of a vector difference."""
    return 2.0 + _BITS[abs(dx)] + _BITS[abs(dy)]


@njit(cache=True, nogil=True)
def _sample(phases, x0, y0, vx, vy):
    """Index, in the flattened phases, of the sample that (vx, vy) predicts (x0, y0) from."""
    row = ((vx & 3) * 4 + (vy & 3)) * phases.shape[1] + y0 + BORDER + (vy >> 2)
    return row * phases.shape[2] + x0 + BORDER + (vx >> 2)


@njit(cache=True, nogil=True)
def _try16(at, vx, vy):
    """Score (vx, vy) for the 16x16 block at (x0, y0) and its four 8x8 blocks; px, py: predicted vector."""
    source, phases, x0, y0, px, py, lam, best, best16, best8 = at
    height, width = source.shape
    vx = clamped(min(max(vx, -MAX_VECTOR), MAX_VECTOR), x0, 16, width)
    vy = clamped(min(max(vy, -MAX_VECTOR), MAX_VECTOR), y0, 16, height)
    start = _sample(phases, x0, y0, vx, vy)
    stride = phases.shape[2]
    bits = lam * vector_bits(vx - px, vy - py)
    total = bits
    for b in range(4):
        ox = (b & 1) * 8
        oy = (b >> 1) * 8
        own = (y0 + oy) * width + x0 + ox
        s = sad8x8(source, own, width, phases, start + oy * stride + ox, stride)
        total += s
        if s + 0.5 * bits < best[1 + b]:
            best[1 + b] = s + 0.5 * bits
            best8[b, 0] = vx
            best8[b, 1] = vy
    if total < best[0]:
        best[0] = total
        best16[0] = vx
        best16[1] = vy
        return True
    return False


@njit(cache=True, nogil=True)
def _refine8(source, phases, x0, y0, b, step, lam, px, py, best, best8):
    height, width = source.shape
    bx = x0 + (b & 1) * 8
    by = y0 + (b >> 1) * 8
    own = by * width + bx
    for _ in range(2):
        cx = best8[b, 0]
        cy = best8[b, 1]
        moved = False
        for i in range(4):
            vx = clamped(cx + step * _DIAMOND[i, 0], bx, 8, width)
            vy = clamped(cy + step * _DIAMOND[i, 1], by, 8, height)
            if abs(vx) > MAX_VECTOR or abs(vy) > MAX_VECTOR:
                continue
            s = sad8x8(source, own, width, phases, _sample(phases, bx, by, vx, vy), phases.shape[2])
            j = s + 0.5 * lam * vector_bits(vx - px, vy - py)
            if j < best[1 + b]:
                best[1 + b] = j
                best8[b, 0] = vx
                best8[b, 1] = vy
                moved = True
        if not moved:
            break


@njit(cache=True, nogil=True)
def search_rows(source, phases, first_row, end_row, hints, lam, vectors16, vectors8, costs):
    """Search the positions of rows [first_row, end_row).

    source: (H, W) uint8. phases: (16, H + 2 B, W + 2 B) uint8. hints: (K, P, 2) int, candidate vectors of
    each position (from the frame before or the other reference). lam: weight of a bit in grey values.
    Written: vectors16 (P, 2), vectors8 (P, 4, 2) int16 and costs (P, 5) float32: SAD + lambda R of the 16x16
    block and of each 8x8 block.
    """
    columns = source.shape[1] // 16
    best = np.empty(5, np.float64)
    best16 = np.empty(2, np.int64)
    best8 = np.empty((4, 2), np.int64)
    for row in range(first_row, end_row):
        for column in range(columns):
            p = row * columns + column
            x0 = column * 16
            y0 = row * 16
            px = 0
            py = 0
            left = column > 0
            above = row > first_row
            if left and not above:
                px = np.int64(vectors16[p - 1, 0])
                py = np.int64(vectors16[p - 1, 1])
            elif above:
                q = p - columns
                r = q + 1 if column + 1 < columns else q - 1 if column > 0 else q
                lx = np.int64(vectors16[p - 1, 0]) if left else 0
                ly = np.int64(vectors16[p - 1, 1]) if left else 0
                ux, uy = np.int64(vectors16[q, 0]), np.int64(vectors16[q, 1])
                rx, ry = np.int64(vectors16[r, 0]), np.int64(vectors16[r, 1])
                px = max(min(lx, ux), min(max(lx, ux), rx))
                py = max(min(ly, uy), min(max(ly, uy), ry))
            for i in range(5):
                best[i] = 1e30
            at = (source, phases, x0, y0, px, py, lam, best, best16, best8)
            _try16(at, px, py)
            _try16(at, 0, 0)
            if left:
                _try16(at, np.int64(vectors16[p - 1, 0]), np.int64(vectors16[p - 1, 1]))
            if above:
                q = p - columns
                _try16(at, np.int64(vectors16[q, 0]), np.int64(vectors16[q, 1]))
            for k in range(hints.shape[0]):
                _try16(at, np.int64(hints[k, p, 0]), np.int64(hints[k, p, 1]))
                if column + 1 < columns:
                    _try16(at, np.int64(hints[k, p + 1, 0]), np.int64(hints[k, p + 1, 1]))
                if row + 1 < source.shape[0] // 16:
                    q = p + columns
                    _try16(at, np.int64(hints[k, q, 0]), np.int64(hints[k, q, 1]))
            # A poor match earns a wide search.
            step = 32 if best[0] > 256 * 8 else 8
            while step >= 4:
                for _ in range(8):
                    cx = best16[0]
                    cy = best16[1]
                    moved = False
                    for i in range(4):
                        if _try16(at, cx + step * _DIAMOND[i, 0], cy + step * _DIAMOND[i, 1]):
                            moved = True
                    if not moved:
                        break
                step >>= 1
            for fine in (2, 1):
                cx = best16[0]
                cy = best16[1]
                for i in range(8):
                    _try16(at, cx + fine * _RING[i, 0], cy + fine * _RING[i, 1])
            for b in range(4):
                for fine in (4, 2, 1):
                    _refine8(source, phases, x0, y0, b, fine, lam, best16[0], best16[1], best, best8)
            vectors16[p, 0] = best16[0]
            vectors16[p, 1] = best16[1]
            for b in range(4):
                vectors8[p, b, 0] = best8[b, 0]
                vectors8[p, b, 1] = best8[b, 1]
            for i in range(5):
                costs[p, i] = best[i]
