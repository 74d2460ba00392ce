"""Which kind, reference and vectors each position takes: J = D + lambda R with overlapped compensation.

A packet's positions are decided in coding order; merge candidates come from those already decided, the
overlapping neighbours (of other packets mostly) are taken from `field`, the motion proposed by the search or
decided in an earlier pass. Packets are therefore independent of each other and may be decided in parallel with
the same result. Distortion after coding is estimated in the transform domain: a coefficient costs its square,
or what sending it costs, whichever is less.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from t4vcodec.codec.compensation import BORDER, WEIGHTS8
from t4vcodec.codec.contexts import PLAIN_FRAME, reference_context, type_context, vector_context
from t4vcodec.codec.motion import clamped
from t4vcodec.codec.rdo import integer_bits
from t4vcodec.codec.symbols import (
    BLOCK16,
    BLOCKS8,
    FIRST,
    INTRA,
    LAST,
    LONG,
    MAX_VECTOR,
    MEDIAN,
    NEW,
    NONE,
    SECOND,
    SPLIT,
    ZERO,
)
from t4vcodec.codec.syntax import merge_vectors, split_base
from t4vcodec.codec.transform import forward8

_OWN = WEIGHTS8[0].astype(np.float32)
_VERTICAL = WEIGHTS8[1].astype(np.float32)
_HORIZONTAL = WEIGHTS8[2].astype(np.float32)


@njit(cache=True, nogil=True, fastmath=True)
def _add_samples(phases, vx, vy, x0, y0, ys, ye, xs, xe, weight, wy, wx, width, height, out, oy, ox):
    """out += weight * prediction of the 8x8 block at (x0, y0) by (vx, vy), rows ys..ye and columns xs..xe."""
    vx = clamped(vx, x0, 8, width)
    vy = clamped(vy, y0, 8, height)
    phase = phases[(vx & 3) * 4 + (vy & 3)]
    ay = y0 + BORDER + (vy >> 2)
    ax = x0 + BORDER + (vx >> 2)
    for y in range(ys, ye):
        for x in range(xs, xe):
            out[oy + y, ox + x] += weight[wy + y, wx + x] * phase[ay + y, ax + x]


@njit(cache=True, nogil=True)
def _outer(p, columns, rows, field, field_reference, field_usable, phases_last, phases_long, known, missing):
    """Overlap lent by the neighbours of position p into known (16, 16); its weight into missing, negated.

    Where a neighbour has no vector, nothing is lent and the position's own block takes over.
    """
    known[:] = 0.0
    missing[:] = 0.0
    width = columns * 16
    height = rows * 16
    px = p % columns
    py = p // columns
    for b in range(4):
        bx = 2 * px + (b & 1)
        by = 2 * py + (b >> 1)
        ox = (b & 1) * 8
        oy = (b >> 1) * 8
        vertical = -1 if b < 2 else 1
        horizontal = -1 if (b & 1) == 0 else 1
        for which in range(2):
            nx = bx + (horizontal if which == 1 else 0)
            ny = by + (vertical if which == 0 else 0)
            if nx < 0 or ny < 0 or nx >= 2 * columns or ny >= 2 * rows or not field_usable[ny, nx]:
                continue
            phases = phases_long if field_reference[ny, nx] == LONG else phases_last
            weight = _VERTICAL if which == 0 else _HORIZONTAL
            ys, ye, xs, xe = 0, 8, 0, 8
            if which == 0:
                ys, ye = (0, 4) if vertical < 0 else (4, 8)
            else:
                xs, xe = (0, 4) if horizontal < 0 else (4, 8)
            _add_samples(
                phases,
                np.int64(field[ny, nx, 0]),
                np.int64(field[ny, nx, 1]),
                bx * 8,
                by * 8,
                ys,
                ye,
                xs,
                xe,
                weight,
                0,
                0,
                width,
                height,
                known,
                oy,
                ox,
            )
            for y in range(ys, ye):
                for x in range(xs, xe):
                    missing[oy + y, ox + x] += weight[y, x]


@njit(cache=True, nogil=True, fastmath=True)
def _whole_prediction(phases, vx, vy, x0, y0, width, height, known, missing, out):
    """Prediction of a 16x16 position by one vector, the neighbours' overlap included."""
    for b in range(4):
        ox = (b & 1) * 8
        oy = (b >> 1) * 8
        cx = clamped(vx, x0 + ox, 8, width)
        cy = clamped(vy, y0 + oy, 8, height)
        phase = phases[(cx & 3) * 4 + (cy & 3)]
        ay = y0 + oy + BORDER + (cy >> 2)
        ax = x0 + ox + BORDER + (cx >> 2)
        for y in range(8):
            for x in range(8):
                out[oy + y, ox + x] = known[oy + y, ox + x] + (
                    np.float32(1) - missing[oy + y, ox + x]
                ) * np.float32(phase[ay + y, ax + x])


@njit(cache=True, nogil=True)
def _split_prediction(phases, v, x0, y0, width, height, known, missing, out):
    """Prediction of a position by four vectors v (4, 2)."""
    out[:] = known
    own = np.empty((16, 16), np.float32)
    for b in range(4):
        ox = (b & 1) * 8
        oy = (b >> 1) * 8
        for y in range(8):
            for x in range(8):
                # What the own block takes: its weight and that of border neighbours that lend nothing.
                w = _OWN[y, x]
                outer_v = (y < 4) == (b < 2)
                outer_h = (x < 4) == ((b & 1) == 0)
                lent = missing[oy + y, ox + x]
                expected = (_VERTICAL[y, x] if outer_v else 0.0) + (_HORIZONTAL[y, x] if outer_h else 0.0)
                own[oy + y, ox + x] = w + (expected - lent)
    for b in range(4):
        ox = (b & 1) * 8
        oy = (b >> 1) * 8
        _add_samples(
            phases, v[b, 0], v[b, 1], x0 + ox, y0 + oy, 0, 8, 0, 8, own, oy, ox, width, height, out, oy, ox
        )
        vertical = b ^ 2
        ys, ye = (4, 8) if b < 2 else (0, 4)
        _add_samples(
            phases,
            v[vertical, 0],
            v[vertical, 1],
            x0 + ox,
            y0 + oy,
            ys,
            ye,
            0,
            8,
            _VERTICAL,
            0,
            0,
            width,
            height,
            out,
            oy,
            ox,
        )
        horizontal = b ^ 1
        xs, xe = (4, 8) if (b & 1) == 0 else (0, 4)
        _add_samples(
            phases,
            v[horizontal, 0],
            v[horizontal, 1],
            x0 + ox,
            y0 + oy,
            0,
            8,
            xs,
            xe,
            _HORIZONTAL,
            0,
            0,
            width,
            height,
            out,
            oy,
            ox,
        )


@njit(cache=True, nogil=True, fastmath=True)
def coded_cost(residual, step, lam, coef, first, result):
    """Estimated J of a (16, 16) residual in 8x8 transforms: result[0] if nothing is sent, result[1] if coded."""
    square = step * step
    base = np.float32(0.07) * square + lam * np.float32(4.5)
    slope = lam * np.float32(0.75)
    nothing = np.float32(0)
    coded = np.float32(0)
    for b in range(4):
        forward8(residual, (b & 1) * 8, (b >> 1) * 8, coef, 0)
        zero = np.float32(0)
        sent = np.float32(0)
        for i in range(first, 64):
            e = coef[i] * coef[i]
            zero += e
            # 0.75 log2(e / step^2) is 1.5 log2 of the magnitude; the linear form is close between 1 and 8.
            sent += min(
                e, base + slope * min(e / square, np.float32(1) + np.float32(0.25) * np.sqrt(e / square))
            )
        nothing += zero
        coded += min(zero, sent + lam * np.float32(1.5))
    result[0] = nothing
    result[1] = coded


@njit(cache=True, nogil=True)
def decide_packet(
    order,
    near,
    tables,
    symbols,
    copy,
    frame_class,
    quality,
    distance,
    source,
    last,
    long,
    field,
    field_reference,
    field_usable,
    proposal16,
    proposal8,
    steps,
    lambdas,
    hurt,
    work,
):
    """Decide kind, reference and vectors of the positions `order` of one packet; see the module's head.

    tables: (row, cost). symbols: FrameSymbols.arrays, written. copy: whether these are the copies that a
    long-term frame's packets carry: predicted from the last picture, nothing else sent. source: (H, W) float32.
    last, long: luma phases (16, ..) uint8; the same twice where there is one reference. proposal16 (2, P, 2),
    proposal8 (2, P, 4, 2): vectors the search found for LAST and LONG. steps, lambdas: (P,) float32. hurt:
    (2, rows8, columns8) float32, what predicting from a block of each reference costs on top for the error a
    receiver may carry there. work: scratch arrays.
    """
    kind, reference, vectors, transform, aq, modes, levels = symbols
    row, cost = tables
    known, missing, prediction, residual, coef = work
    height, width = source.shape
    columns = width // 16
    rows = height // 16
    m = np.empty((4, 2), np.int64)
    four = np.empty((4, 2), np.int64)
    result = np.empty(2, np.float32)
    best_four = np.empty((4, 2), np.int64)
    first_reference = LAST if frame_class == PLAIN_FRAME or copy else LONG
    end_reference = LAST + 1 if copy or (frame_class == PLAIN_FRAME and distance == 1) else LONG + 1
    for n in range(order.size):
        p = order[n]
        x0 = (p % columns) * 16
        y0 = (p // columns) * 16
        a = near[p, 0]
        b = near[p, 1]
        step = steps[p]
        lam = lambdas[p]
        context = row[type_context(copy, frame_class, quality, kind, transform, a, b)]
        _outer(p, columns, rows, field, field_reference, field_usable, last, long, known, missing)

        # Intra: the block against its mean.
        mean = np.float32(0)
        for y in range(16):
            for x in range(16):
                mean += source[y0 + y, x0 + x]
        mean /= 256
        for y in range(16):
            for x in range(16):
                residual[y, x] = source[y0 + y, x0 + x] - mean
        coded_cost(residual, step, lam, coef, 0, result)
        intra_bits = min(cost[context, INTRA * 3 + BLOCKS8], cost[context, INTRA * 3 + BLOCK16])
        best = np.float32(1e30) if copy else result[1] * 1.1 + lam * (intra_bits + 16.0)
        best_kind = INTRA
        best_reference = 0
        best_transform = BLOCKS8

        for ref in range(first_reference, end_reference):
            phases = long if ref == LONG else last
            spread = merge_vectors(near, p, kind, reference, vectors, ref, distance, m)
            reference_bits = np.float32(0)
            if frame_class == PLAIN_FRAME and distance > 1:
                reference_bits = cost[row[reference_context(quality, kind, reference, a, b)], ref]
            for k in (MEDIAN, FIRST, SECOND, ZERO, NEW, SPLIT):
                bits = reference_bits
                if k == SPLIT:
                    for i in range(4):
                        for axis in range(2):
                            four[i, axis] = proposal8[ref, p, i, axis]
                            vectors[p, i, axis] = proposal8[ref, p, i, axis]
                    for i in range(4):
                        for axis in range(2):
                            c = vector_context(axis, spread, ref, 1 if i == 0 else 2)
                            d = four[i, axis] - split_base(vectors, p, i, m, axis)
                            bits += integer_bits(row, cost, c, d)
                else:
                    vx = np.int64(0)
                    vy = np.int64(0)
                    if k == MEDIAN:
                        vx, vy = m[0, 0], m[0, 1]
                    elif k == FIRST:
                        vx, vy = m[1, 0], m[1, 1]
                        if vx == m[0, 0] and vy == m[0, 1]:
                            continue
                    elif k == SECOND:
                        vx, vy = m[2, 0], m[2, 1]
                        if (vx == m[0, 0] and vy == m[0, 1]) or (vx == m[1, 0] and vy == m[1, 1]):
                            continue
                    elif k == NEW:
                        vx, vy = np.int64(proposal16[ref, p, 0]), np.int64(proposal16[ref, p, 1])
                        if vx == m[0, 0] and vy == m[0, 1]:
                            continue
                        bits += integer_bits(row, cost, vector_context(0, spread, ref, 0), vx - m[0, 0])
                        bits += integer_bits(row, cost, vector_context(1, spread, ref, 0), vy - m[0, 1])
                    for i in range(4):
                        four[i, 0] = vx
                        four[i, 1] = vy
                j = np.float32(0)
                for i in range(4):
                    cx = min(max((x0 + (i & 1) * 8 + (four[i, 0] >> 2) + 4) >> 3, 0), 2 * columns - 1)
                    cy = min(max((y0 + (i >> 1) * 8 + (four[i, 1] >> 2) + 4) >> 3, 0), 2 * rows - 1)
                    j += hurt[ref, cy, cx]
                if j + lam * bits >= best:
                    continue
                if k == SPLIT:
                    _split_prediction(phases, four, x0, y0, width, height, known, missing, prediction)
                else:
                    _whole_prediction(
                        phases, four[0, 0], four[0, 1], x0, y0, width, height, known, missing, prediction
                    )
                for y in range(16):
                    for x in range(16):
                        residual[y, x] = source[y0 + y, x0 + x] - prediction[y, x]
                coded_cost(residual, step, lam, coef, 0, result)
                type_none = cost[context, k * 3 + NONE]
                type_coded = min(cost[context, k * 3 + BLOCKS8], cost[context, k * 3 + BLOCK16])
                none = result[0] + lam * type_none
                sent = result[1] + lam * (type_coded + np.float32(2))
                j += (none if copy else min(none, sent)) + lam * bits
                if j < best:
                    best = j
                    best_kind = k
                    best_reference = ref
                    best_transform = NONE if none <= sent or copy else BLOCKS8
                    for i in range(4):
                        best_four[i, 0] = four[i, 0]
                        best_four[i, 1] = four[i, 1]
        kind[p] = best_kind
        reference[p] = best_reference
        transform[p] = best_transform
        for i in range(4):
            for axis in range(2):
                v = best_four[i, axis] if best_kind != INTRA else 0
                vectors[p, i, axis] = min(max(v, -MAX_VECTOR), MAX_VECTOR)
