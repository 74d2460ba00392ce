"""What not to send: rate-distortion optimal levels, modes and transforms by the true tables.

J = D + lambda R, D the squared error of coefficients (the transforms are orthonormal), R the bits of the
tables that the coder will use, contexts included. Levels are decided in scan order, each among the two
around its coefficient and zero, given those already decided. For each block every mode is tried.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from t4vcodec.codec.contexts import (
    CHROMA,
    CHROMA_INTRA,
    CHROMA_MODES,
    LUMA8,
    LUMA8_INTRA,
    LUMA16,
    LUMA16_INTRA,
    LUMA_MODES,
    chroma_context,
    mode8_context,
    mode16_context,
)
from t4vcodec.codec.contexts import DC as DC_CONTEXT
from t4vcodec.codec.quantise import best_mode
from t4vcodec.codec.symbols import BLOCK16, BLOCKS8, INTRA, MAX_LEVEL, NONE
from t4vcodec.codec.syntax import (
    bit_length,
    chroma_near,
    dc_base,
    luma_dc_base,
    mode8_near,
    mode16_near,
    type_context,
)
from t4vcodec.codec.transform import forward8, forward16


@njit(cache=True, nogil=True)
def integer_bits(row, cost, context, value):
    """Bits of a signed integer (`syntax._integer`)."""
    k = bit_length(abs(value))
    return cost[row[context], k] + k


@njit(cache=True, nogil=True)
def _quantise_dc(c, step, lam, base, row, cost, context):
    """The DC level of an intra block: J-best of the two around c / step and the predicted one."""
    x = c / step
    low = int(np.floor(x))
    best = 1e30
    chosen = 0
    for k in range(3):
        v = low + k if k < 2 else base
        v = min(max(v, -MAX_LEVEL), MAX_LEVEL)
        e = v * step - c
        j = e * e + lam * integer_bits(row, cost, context, v - base)
        if j < best:
            best = j
            chosen = v
    return chosen, best


@njit(cache=True, nogil=True, fastmath=True)
def code_position(
    p, near, t, points, symbols, residual, chroma_residual, step, dc_step, lam, chroma_lam, work, only
):
    """Choose transform, modes and levels of position p whose prediction is settled; writes them in `symbols`.

    residual: (16, 16) float32 luma, chroma_residual: (2, 8, 8). work: (coefficients (640,), scratch of `best_mode`,
    spare levels (384,)). only: 0 tries both transforms, else the one to take. Returns J of the residual,
    distortion included, without the type's bits, for: nothing sent, BLOCKS8, BLOCK16 (1e30 where not tried);
    the levels written are those of the better transform.
    """
    kind, reference, vectors, transform, aq, modes, levels = symbols
    row, cost = t[0], t[1]
    coef, scratch, spare = work
    intra = 1 if kind[p] == INTRA else 0
    first = intra
    out = levels[p]

    # Chroma first is impossible (its mode is conditioned on luma's), so luma of both transforms, then chroma.
    j_none = 0.0
    for y in range(16):
        for x in range(16):
            j_none += residual[y, x] * residual[y, x]
    j_none_chroma = 0.0
    for plane in range(2):
        for y in range(8):
            for x in range(8):
                j_none_chroma += chroma_residual[plane, y, x] ** 2
    j_none += j_none_chroma * (lam / chroma_lam)

    j8 = 1e30
    j16 = 1e30
    if only != BLOCKS8:
        forward16(residual, coef)
        transform[p] = BLOCK16
        j16 = 0.0
        if intra:
            base = luma_dc_base(near, p, kind, transform, levels, 0)
            v, j = _quantise_dc(coef[0], dc_step, lam, base, row, cost, DC_CONTEXT + 2)
            spare[0] = v
            j16 += j
        context = mode16_context(intra, mode16_near(near, p, kind, modes))
        mode16, j = best_mode(
            coef,
            0,
            16,
            first,
            step,
            lam,
            LUMA16_INTRA if intra else LUMA16,
            LUMA_MODES,
            context,
            points,
            t,
            spare,
            0,
            scratch,
        )
        j16 += j
    if only != BLOCK16:
        transform[p] = BLOCKS8
        j8 = 0.0
        for b in range(4):
            base_index = 64 * b
            forward8(residual, (b % 2) * 8, (b // 2) * 8, coef, base_index)
            if intra:
                base = luma_dc_base(near, p, kind, transform, levels, b)
                v, j = _quantise_dc(coef[base_index], dc_step, lam, base, row, cost, DC_CONTEXT + min(b, 1))
                out[base_index] = v
                j8 += j
            context = mode8_context(intra, b, mode8_near(near, p, kind, modes, transform, b))
            m, j = best_mode(
                coef,
                base_index,
                8,
                first,
                step,
                lam,
                LUMA8_INTRA if intra else LUMA8,
                LUMA_MODES,
                context,
                points,
                t,
                out,
                base_index,
                scratch,
            )
            modes[p, b] = m
            j8 += j
    if j16 < j8:
        transform[p] = BLOCK16
        for i in range(256):
            out[i] = spare[i]
        modes[p, 0] = mode16
        for b in range(1, 4):
            modes[p, b] = 0
    else:
        transform[p] = BLOCKS8

    j_chroma = 0.0
    for plane in range(2):
        base_index = 256 + 64 * plane
        forward8(chroma_residual[plane], 0, 0, coef, base_index)
        if intra:
            base = dc_base(near, p, kind, transform, levels, plane + 1)
            v, j = _quantise_dc(
                coef[base_index], dc_step, chroma_lam, base, row, cost, DC_CONTEXT + 3 + plane
            )
            out[base_index] = v
            j_chroma += j
        context = chroma_context(intra, plane, chroma_near(p, transform, modes, plane))
        m, j = best_mode(
            coef,
            base_index,
            8,
            first,
            step,
            chroma_lam,
            CHROMA_INTRA if intra else CHROMA,
            CHROMA_MODES,
            context,
            points,
            t,
            out,
            base_index,
            scratch,
        )
        modes[p, 4 + plane] = m
        j_chroma += j
    j_chroma *= lam / chroma_lam
    return j_none, j8 + j_chroma, j16 + j_chroma


@njit(cache=True, nogil=True)
def clear_residual(p, symbols):
    """Send no residual for position p."""
    transform, aq, modes, levels = symbols[3], symbols[4], symbols[5], symbols[6]
    transform[p] = NONE
    aq[p] = 0
    for i in range(modes.shape[1]):
        modes[p, i] = 0
    for i in range(levels.shape[1]):
        levels[p, i] = 0


@njit(cache=True, nogil=True)
def code_packet(
    order,
    near,
    tables,
    points,
    symbols,
    copy,
    frame_class,
    quality,
    source,
    prediction,
    steps,
    lambdas,
    dc_steps,
    chroma_weight,
    work,
):
    """Choose the residual of the positions `order` of one packet; kinds and vectors are settled.

    tables: of `coding_tables`. source, prediction: three float32 planes each. steps, lambdas, dc_steps:
    (P,) float32. chroma_weight: lambda of chroma over that of luma. Returns the sum of J.
    """
    kind, reference, vectors, transform, aq, modes, levels = symbols
    row, cost = tables[0], tables[1]
    residual, chroma_residual, coef, scratch, spare = work
    columns = source[0].shape[1] // 16
    total = 0.0
    for n in range(order.size):
        p = order[n]
        x0 = (p % columns) * 16
        y0 = (p // columns) * 16
        for y in range(16):
            for x in range(16):
                residual[y, x] = source[0][y0 + y, x0 + x] - prediction[0][y0 + y, x0 + x]
        for plane in range(2):
            for y in range(8):
                for x in range(8):
                    chroma_residual[plane, y, x] = (
                        source[1 + plane][y0 // 2 + y, x0 // 2 + x]
                        - prediction[1 + plane][y0 // 2 + y, x0 // 2 + x]
                    )
        lam = lambdas[p]
        a = near[p, 0]
        b = near[p, 1]
        context = row[type_context(copy, frame_class, quality, kind, transform, a, b)]
        k = np.int64(kind[p])
        none, j8, j16 = code_position(
            p,
            near,
            tables,
            points,
            symbols,
            residual,
            chroma_residual,
            steps[p],
            dc_steps[p],
            lam,
            lam * chroma_weight,
            (coef, scratch, spare),
            0,
        )
        coded = min(j8 + lam * cost[context, k * 3 + BLOCKS8], j16 + lam * cost[context, k * 3 + BLOCK16])
        none += lam * cost[context, k * 3 + NONE]
        empty = k != INTRA
        if empty:
            for i in range(modes.shape[1]):
                if modes[p, i] != 0:
                    empty = False
        if k != INTRA and (none <= coded or empty):
            clear_residual(p, symbols)
            total += none
        else:
            total += coded
    return total
