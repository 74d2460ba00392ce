"""Interpolation and overlapped compensation in numba, where no gradient is asked for: the same samples as
`compensation.py` gives in torch, at a fraction of the time.

What the torch version computes for whole planes and all 16 phases is computed here for the blocks that want it.
All luma sums and all of the filters are exact in float32 (see there), so their order is free; the weighted sums
of chroma are rounded, and taken in the order of the torch version.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from t4vcodec.codec.compensation import BORDER, CHROMA_TAPS, LUMA_TAPS, WEIGHTS4, WEIGHTS8
from t4vcodec.codec.motion import clamped

_BEFORE = BORDER + 3  # samples of border that the filters of a block at the border's end reach
_AFTER = BORDER + 8  # rows of 8 are filtered even where 4 are wanted: that is one vector instruction
_WHOLE = np.array([[0, 0, 0, 64, 0, 0, 0, 0]])
_INTEGER_TAPS = np.concatenate([_WHOLE, np.array(LUMA_TAPS)]).astype(np.int16)
_LUMA = (_INTEGER_TAPS / 64).astype(np.float32)
_CHROMA = (np.concatenate([_WHOLE, np.array(CHROMA_TAPS)]) / 64).astype(np.float32)
_WEIGHTS8 = np.ascontiguousarray(WEIGHTS8, np.float32)
_WEIGHTS4 = np.ascontiguousarray(WEIGHTS4, np.float32)
_STRIPE = 8


@njit(cache=True, nogil=True)
def _across(plane, first, out):
    """Horizontal phases (4, rows, W + 2 B) in 1/64 of the rows from `first` on, counted from the border's."""
    h, w = plane.shape
    width = out.shape[2]
    padded = np.empty(width + 8, np.int16)
    for r in range(out.shape[1]):
        row = plane[min(max(first + r - _BEFORE, 0), h - 1)]
        padded[:_BEFORE] = row[0]
        padded[_BEFORE + w :] = row[w - 1]
        for x in range(w):
            padded[_BEFORE + x] = row[x]
        for t in range(4):
            a, b, c, d = _INTEGER_TAPS[t, 0], _INTEGER_TAPS[t, 1], _INTEGER_TAPS[t, 2], _INTEGER_TAPS[t, 3]
            e, f, g, i = _INTEGER_TAPS[t, 4], _INTEGER_TAPS[t, 5], _INTEGER_TAPS[t, 6], _INTEGER_TAPS[t, 7]
            o = out[t, r]
            for x in range(width):
                low = a * padded[x] + b * padded[x + 1] + c * padded[x + 2] + d * padded[x + 3]
                high = e * padded[x + 4] + f * padded[x + 5] + g * padded[x + 6] + i * padded[x + 7]
                o[x] = low + high


@njit(cache=True, nogil=True)
def phases8_rows(plane, first, end, out):
    """Rows [first, end) of the 16 phases of `plane` (H, W) uint8, rounded, into out (16, H + 2 B, W + 2 B)."""
    width = out.shape[2]
    across = np.empty((4, _STRIPE + 7, width), np.int16)
    for top in range(first, end, _STRIPE):
        _across(plane, top, across)
        for px in range(4):
            for y in range(top, min(top + _STRIPE, end)):
                k = y - top
                r0, r1, r2, r3 = across[px, k], across[px, k + 1], across[px, k + 2], across[px, k + 3]
                r4, r5, r6, r7 = across[px, k + 4], across[px, k + 5], across[px, k + 6], across[px, k + 7]
                o = out[4 * px, y]
                for x in range(width):
                    v = (np.int32(r3[x]) + np.int32(32)) >> 6
                    o[x] = min(max(v, np.int32(0)), np.int32(255))
                for t in range(1, 4):
                    taps = _INTEGER_TAPS[t]
                    a, b, c, d = taps[0], taps[1], taps[2], taps[3]
                    e, f, g, i = taps[4], taps[5], taps[6], taps[7]
                    o = out[4 * px + t, y]
                    for x in range(width):
                        low = (
                            a * np.int32(r0[x])
                            + b * np.int32(r1[x])
                            + c * np.int32(r2[x])
                            + d * np.int32(r3[x])
                        )
                        high = e * np.int32(r4[x]) + f * np.int32(r5[x]) + g * np.int32(r6[x])
                        v = np.int32(low + high + i * np.int32(r7[x]) + 2048) >> 12
                        o[x] = min(max(v, np.int32(0)), np.int32(255))


def phases8(plane: np.ndarray) -> np.ndarray:
    """The luma phases rounded to 8 bits, (16, H + 2 B, W + 2 B) uint8, of a plane (H, W) uint8."""
    out = np.empty((16, plane.shape[0] + 2 * BORDER, plane.shape[1] + 2 * BORDER), np.uint8)
    phases8_rows(plane, 0, out.shape[1], out)
    return out


def bordered(plane: torch.Tensor) -> np.ndarray:
    """A plane (H, W) with the border that `predict_blocks` reads, float32."""
    around = (_BEFORE, _AFTER, _BEFORE, _AFTER)
    return torch.nn.functional.pad(plane[None, None].float(), around, mode="replicate")[0, 0].numpy()


@njit(cache=True, nogil=True, fastmath=True)
def _filter8(samples, y0, x0, down, taps, rows, n, out, oy, ox):
    """out from (oy, ox) on, rows x n: samples from (y0, x0) on, filtered by eight taps down or across.
    n is always 8: the compiler makes vectors of loops of unknown length, and unrolls those of a known one."""
    t0, t1, t2, t3, t4, t5, t6, t7 = taps[0], taps[1], taps[2], taps[3], taps[4], taps[5], taps[6], taps[7]
    sy = 1 if down else 0
    sx = 1 - sy
    for y in range(rows):
        a = samples[y0 + y, x0 : x0 + n]
        b = samples[y0 + y + sy, x0 + sx : x0 + sx + n]
        c = samples[y0 + y + 2 * sy, x0 + 2 * sx : x0 + 2 * sx + n]
        d = samples[y0 + y + 3 * sy, x0 + 3 * sx : x0 + 3 * sx + n]
        e = samples[y0 + y + 4 * sy, x0 + 4 * sx : x0 + 4 * sx + n]
        f = samples[y0 + y + 5 * sy, x0 + 5 * sx : x0 + 5 * sx + n]
        g = samples[y0 + y + 6 * sy, x0 + 6 * sx : x0 + 6 * sx + n]
        h = samples[y0 + y + 7 * sy, x0 + 7 * sx : x0 + 7 * sx + n]
        o = out[oy + y, ox : ox + n]
        for x in range(n):
            o[x] = (
                t0 * a[x] + t1 * b[x] + t2 * c[x] + t3 * d[x] + t4 * e[x] + t5 * f[x] + t6 * g[x] + t7 * h[x]
            )


@njit(cache=True, nogil=True, fastmath=True)
def _filter4(samples, y0, x0, down, taps, rows, n, out, oy, ox):
    """The same where only the four taps in the middle are not 0."""
    t2, t3, t4, t5 = taps[2], taps[3], taps[4], taps[5]
    sy = 1 if down else 0
    sx = 1 - sy
    for y in range(rows):
        c = samples[y0 + y + 2 * sy, x0 + 2 * sx : x0 + 2 * sx + n]
        d = samples[y0 + y + 3 * sy, x0 + 3 * sx : x0 + 3 * sx + n]
        e = samples[y0 + y + 4 * sy, x0 + 4 * sx : x0 + 4 * sx + n]
        f = samples[y0 + y + 5 * sy, x0 + 5 * sx : x0 + 5 * sx + n]
        o = out[oy + y, ox : ox + n]
        for x in range(n):
            o[x] = t2 * c[x] + t3 * d[x] + t4 * e[x] + t5 * f[x]


@njit(cache=True, nogil=True)
def _block(samples, x0, y0, vx, vy, chroma, rows, n, across, out, oy, ox):
    """out from (oy, ox) on, rows x 8: prediction by (vx, vy), clamped already, of the samples from (x0, y0) on."""
    x = x0 + BORDER + (vx >> 2)
    y = y0 + BORDER + (vy >> 2)
    fx = vx & 3
    fy = vy & 3
    zero = fx - fx  # a constant in a call would be compiled anew
    if fx == 0 and fy == 0:
        for i in range(rows):
            a = samples[y + 3 + i, x + 3 : x + 3 + n]
            o = out[oy + i, ox : ox + n]
            for k in range(n):
                o[k] = a[k]
    elif chroma:
        if fy == 0:
            _filter4(samples, y + 3, x, False, _CHROMA[fx], rows, n, out, oy, ox)
        elif fx == 0:
            _filter4(samples, y, x + 3, True, _CHROMA[fy], rows, n, out, oy, ox)
        else:
            # The outer taps of a column are 0, but the rows they name are read as views.
            _filter4(samples, y, x, False, _CHROMA[fx], rows + 7, n, across, zero, zero)
            _filter4(across, zero, zero, True, _CHROMA[fy], rows, n, out, oy, ox)
    elif fy == 0:
        _filter8(samples, y + 3, x, False, _LUMA[fx], rows, n, out, oy, ox)
    elif fx == 0:
        _filter8(samples, y, x + 3, True, _LUMA[fy], rows, n, out, oy, ox)
    else:
        _filter8(samples, y, x, False, _LUMA[fx], rows + 7, n, across, zero, zero)
        _filter8(across, zero, zero, True, _LUMA[fy], rows, n, out, oy, ox)


@njit(cache=True, nogil=True)
def _blend(own, vertical, horizontal, weights, size, n, x0, y0, out):
    """The weighted mean of three predictions; no fast arithmetic, chroma is to be rounded as in torch."""
    for y in range(size):
        o = out[y0 + y, x0 : x0 + size]
        a, b, c = own[y], vertical[y], horizontal[y]
        wa, wb, wc = weights[0, y], weights[1, y], weights[2, y]
        for x in range(n):
            o[x] = (a[x] * wa[x] + b[x] * wb[x]) + c[x] * wc[x]


@njit(cache=True, nogil=True)
def predict_rows(first, long, vectors, reference, usable, size, n, begin, end, out):
    """Block rows [begin, end) of one plane; see `predict_blocks`. n is 8, size 8 for luma and 4 for chroma."""
    rows8, columns8 = usable.shape
    chroma = size == 4
    weights = _WEIGHTS4 if chroma else _WEIGHTS8
    half = size // 2
    zero = half - half
    own = np.empty((8, 8), np.float32)
    vertical = np.empty((8, 8), np.float32)
    horizontal = np.empty((8, 8), np.float32)
    part = np.empty((8, 8), np.float32)
    across = np.empty((16, 8), np.float32)
    v = np.empty((5, 3), np.int64)  # x, y and reference by: itself, up, down, left, right
    for by in range(begin, end):
        y0 = by * size
        for bx in range(columns8):
            x0 = bx * size
            mixed = False
            for i in range(5):
                ny = by + (0, -1, 1, 0, 0)[i]
                nx = bx + (0, 0, 0, -1, 1)[i]
                if i > 0 and not (0 <= ny < rows8 and 0 <= nx < columns8 and usable[ny, nx]):
                    v[i] = v[0]
                    continue
                vx = np.int64(vectors[ny, nx, 0])
                vy = np.int64(vectors[ny, nx, 1])
                if chroma:  # eighths of a sample, rounded to quarters
                    vx = (vx + 1) >> 1
                    vy = (vy + 1) >> 1
                v[i, 0] = clamped(vx, x0, size, columns8 * size)
                v[i, 1] = clamped(vy, y0, size, rows8 * size)
                v[i, 2] = reference[ny, nx]
                mixed = mixed or v[i, 0] != v[0, 0] or v[i, 1] != v[0, 1] or v[i, 2] != v[0, 2]
            samples = first if v[0, 2] == 0 else long
            if not mixed and not chroma:
                _block(samples, x0, y0, v[0, 0], v[0, 1], chroma, size, n, across, out, y0, x0)
                continue
            _block(samples, x0, y0, v[0, 0], v[0, 1], chroma, size, n, across, own, zero, zero)
            if not mixed:
                _blend(own, own, own, weights, size, size, x0, y0, out)
                continue
            for i in range(1, 5):
                samples = first if v[i, 2] == 0 else long
                if i < 3:
                    top = half * (i - 1)
                    _block(
                        samples, x0, y0 + top, v[i, 0], v[i, 1], chroma, half, n, across, vertical, top, zero
                    )
                else:
                    left = half * (i - 3)
                    side = own
                    if v[i, 0] != v[0, 0] or v[i, 1] != v[0, 1] or v[i, 2] != v[0, 2]:
                        _block(samples, x0, y0, v[i, 0], v[i, 1], chroma, size, n, across, part, zero, zero)
                        side = part
                    for y in range(size):
                        for x in range(left, left + half):
                            horizontal[y, x] = side[y, x]
            _blend(own, vertical, horizontal, weights, size, size, x0, y0, out)


def predict_blocks(
    references: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    vectors: np.ndarray,
    reference: np.ndarray,
    usable: np.ndarray,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`compensation.predict` of pictures given as `bordered` planes of whole values."""
    rows8, columns8 = usable.shape
    out = []
    for plane, size in ((0, 8), (1, 4), (2, 4)):
        predicted = np.empty((rows8 * size, columns8 * size), np.float32)
        first, long = references[0][plane], references[-1][plane]
        predict_rows(first, long, vectors, reference, usable, size, 8, 0, rows8, predicted)
        out.append(torch.from_numpy(predicted))
    return tuple(out)
