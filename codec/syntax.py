"""The syntax of a packet's payload, written once: the same walk encodes, decodes and counts.

For each position of the packet, in order: reference, type (kind x transform), vectors, step (intra), then for
a residual the modes and levels of its blocks. See docs/bitstream.md.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from t4vcodec.codec.contexts import (
    CHROMA,
    CHROMA_INTRA,
    DC,
    ESCAPE,
    FREQUENCY8,
    FREQUENCY16,
    LUMA8,
    LUMA8_INTRA,
    LUMA16,
    LUMA16_INTRA,
    MODE_BASE,
    PLAIN_FRAME,
    SCAN8,
    SCAN16,
    STEP,
    chroma_context,
    level_context,
    mode8_context,
    mode16_context,
    neighbour_sum,
    reference_context,
    type_context,
    vector_context,
)
from t4vcodec.codec.entropy import COUNT, DECODE, LIMIT, OP, POS, code, code_raw
from t4vcodec.codec.symbols import (
    BLOCK16,
    BLOCKS8,
    FIRST,
    INTRA,
    LAST,
    LONG,
    LOST,
    MAX_LEVEL,
    MAX_VECTOR,
    MEDIAN,
    NEW,
    NONE,
    SECOND,
    SPLIT,
    ZERO,
)

# Where bits go, in the counts of a walk.
PARTS = ("types", "motion", "luma", "chroma")
TYPES, MOTION, LUMA_BITS, CHROMA_BITS = range(4)


@njit(cache=True, nogil=True)
def _symbol(c, t, part, context, symbol):
    """c: coder (reg, io, buf); t: (cumulated, row, cost, counts, bits)."""
    row = t[1][context]
    if c[1][OP] == COUNT:
        t[3][context, symbol] += 1
        t[4][part] += t[2][row, symbol]
        return symbol
    return code(c[0], c[1], c[2], t[0], row, symbol)


@njit(cache=True, nogil=True)
def _raw(c, t, part, bits, value):
    if c[1][OP] == COUNT:
        t[4][part] += bits
        return value
    return code_raw(c[0], c[1], c[2], bits, value)


@njit(cache=True, nogil=True)
def bit_length(n):
    k = 0
    while n > 0:
        n >>= 1
        k += 1
    return k


@njit(cache=True, nogil=True)
def _integer(c, t, part, context, value):
    """A signed integer of at most 15 bits: its bit length by table, sign and lower bits raw."""
    magnitude = abs(value)
    k = _symbol(c, t, part, context, bit_length(magnitude))
    if k == 0:
        return 0
    negative = _raw(c, t, part, 1, 1 if value < 0 else 0)
    top = 1 << (k - 1)
    magnitude = top + _raw(c, t, part, k - 1, magnitude - top)
    return -magnitude if negative else magnitude


@njit(cache=True, nogil=True)
def _scaled(v, to, by):
    """v * to / by, rounded half away from zero."""
    n = abs(v) * to
    r = (2 * n + by) // (2 * by)
    return -r if v < 0 else r


@njit(cache=True, nogil=True)
def median3(a, b, c):
    return max(min(a, b), min(max(a, b), c))


@njit(cache=True, nogil=True)
def merge_vectors(near, p, kind, reference, vectors, ref, distance, out):
    """Vectors of the three nearest positions of the packet, scaled to reference `ref`, and their median.

    out: (4, 2) int64: median, first, second, third. Returns the spread class 0 to 2.
    `distance`: frames between this frame and its long-term reference (the last is 1 away).
    """
    known = 0
    for i in range(3):
        q = near[p, i]
        out[i + 1, 0] = 0
        out[i + 1, 1] = 0
        if q >= 0 and kind[q] < INTRA:
            to = distance if ref == LONG else 1
            by = distance if reference[q] == LONG else 1
            out[i + 1, 0] = min(max(_scaled(vectors[q, 3, 0], to, by), -MAX_VECTOR), MAX_VECTOR)
            out[i + 1, 1] = min(max(_scaled(vectors[q, 3, 1], to, by), -MAX_VECTOR), MAX_VECTOR)
            known += 1
            only = i + 1
    if known == 1:
        out[0, 0] = out[only, 0]
        out[0, 1] = out[only, 1]
        return 1
    out[0, 0] = median3(out[1, 0], out[2, 0], out[3, 0])
    out[0, 1] = median3(out[1, 1], out[2, 1], out[3, 1])
    if known == 0:
        return 1
    d = 0
    for i in range(1, 4):
        d = max(d, abs(out[i, 0] - out[0, 0]) + abs(out[i, 1] - out[0, 1]))
    if d <= 2:
        return 0
    return 1 if d <= 12 else 2


@njit(cache=True, nogil=True)
def split_base(vectors, p, b, m, axis):
    """What vector b of a split position is coded against."""
    if b == 0:
        return m[0, axis]
    if b < 3:
        return np.int64(vectors[p, 0, axis])
    return median3(
        np.int64(vectors[p, 0, axis]), np.int64(vectors[p, 1, axis]), np.int64(vectors[p, 2, axis])
    )


@njit(cache=True, nogil=True)
def _clip_vector(v):
    return min(max(v, -MAX_VECTOR), MAX_VECTOR)


@njit(cache=True, nogil=True)
def _vectors(c, t, near, distance, p, kind, reference, vectors):
    m = np.empty((4, 2), np.int64)
    spread = merge_vectors(near, p, kind, reference, vectors, reference[p], distance, m)
    k = kind[p]
    decode = c[1][OP] == DECODE
    if k == SPLIT:
        for b in range(4):
            place = 1 if b == 0 else 2
            for axis in range(2):
                base = split_base(vectors, p, b, m, axis)
                context = vector_context(axis, spread, reference[p], place)
                d = _integer(c, t, MOTION, context, np.int64(vectors[p, b, axis]) - base)
                if decode:
                    vectors[p, b, axis] = _clip_vector(base + d)
        return
    for axis in range(2):
        v = 0
        if k == NEW:
            context = vector_context(axis, spread, reference[p], 0)
            d = _integer(c, t, MOTION, context, np.int64(vectors[p, 0, axis]) - m[0, axis])
            v = m[0, axis] + d
        elif k == MEDIAN:
            v = m[0, axis]
        elif k == FIRST:
            v = m[1, axis]
        elif k == SECOND:
            v = m[2, axis]
        elif k == ZERO:
            v = 0
        if decode:
            for b in range(4):
                vectors[p, b, axis] = _clip_vector(v)


@njit(cache=True, nogil=True)
def _levels(c, t, part, level_class, base, size, first, levels, p):
    """The levels of one block, from frequency number `first` of the scan on."""
    scan = SCAN8 if size == 8 else SCAN16
    frequency = FREQUENCY8 if size == 8 else FREQUENCY16
    row = levels[p]
    for n in range(first, size * size):
        i = scan[n]
        context = level_context(level_class, frequency[i], neighbour_sum(row, base, size, i))
        value = np.int64(row[base + i])
        magnitude = _symbol(c, t, part, context, min(abs(value), ESCAPE))
        if magnitude == 0:
            continue
        if magnitude == ESCAPE:
            rest = abs(value) - ESCAPE + 1
            k = _raw(c, t, part, 4, bit_length(rest))
            if k > 0:
                top = 1 << (k - 1)
                rest = top + _raw(c, t, part, k - 1, rest - top)
            magnitude = min(ESCAPE - 1 + rest, MAX_LEVEL) if k > 0 else ESCAPE
        negative = _raw(c, t, part, 1, 1 if value < 0 else 0)
        row[base + i] = -magnitude if negative else magnitude


@njit(cache=True, nogil=True)
def dc_unit(transform, levels, p):
    """The mean of a position in sixteenths of a step, from its luma DC levels."""
    if transform[p] == BLOCK16:
        return np.int64(levels[p, 0])
    s = np.int64(levels[p, 0]) + levels[p, 64] + levels[p, 128] + levels[p, 192]
    return s >> 1


@njit(cache=True, nogil=True)
def dc_base(near, p, kind, transform, levels, plane):
    """Predicted DC level (luma: in sixteenths of a step) from intra positions of the packet; plane 0 to 2."""
    total = 0
    n = 0
    for i in range(2):
        q = near[p, i]
        if q >= 0 and kind[q] == INTRA and transform[q] != NONE:
            if plane == 0:
                total += dc_unit(transform, levels, q)
            else:
                total += levels[q, 192 + 64 * plane]
            n += 1
    return total // n if n > 0 else 0


@njit(cache=True, nogil=True)
def _clip_level(v):
    return min(max(v, -MAX_LEVEL), MAX_LEVEL)


@njit(cache=True, nogil=True)
def luma_dc_base(near, p, kind, transform, levels, block):
    """Prediction of an intra luma DC level: of the 16x16 block, or of 8x8 block `block`."""
    if transform[p] == BLOCK16 or block == 0:
        base = dc_base(near, p, kind, transform, levels, 0)
        return base if transform[p] == BLOCK16 else (base + 1) >> 1
    if block < 3:
        return np.int64(levels[p, 0])
    return (np.int64(levels[p, 64]) + levels[p, 128]) >> 1


@njit(cache=True, nogil=True)
def mode8_near(near, p, kind, modes, transform, b):
    """Sum of the two modes that the mode of luma block b is conditioned on, 13 for none."""
    if b == 0:
        total = 0
        n = 0
        for i in range(2):
            q = near[p, i]
            if q >= 0 and kind[q] != LOST:
                total += modes[q, 3] if transform[q] == BLOCKS8 else modes[q, 0]
                n += 1
        if n == 0:
            return 13
        return total * 2 // n
    if b == 1:
        return 2 * np.int64(modes[p, 0])
    if b == 2:
        return np.int64(modes[p, 0]) + modes[p, 1]
    return np.int64(modes[p, 1]) + modes[p, 2]


@njit(cache=True, nogil=True)
def mode16_near(near, p, kind, modes):
    q = near[p, 0]
    if q < 0 or kind[q] == LOST:
        return 7
    return np.int64(modes[q, 0])


@njit(cache=True, nogil=True)
def _residual(c, t, near, p, kind, transform, modes, levels):
    intra = 1 if kind[p] == INTRA else 0
    first = intra  # the DC of an intra block is coded as an integer
    decode = c[1][OP] == DECODE
    if transform[p] == BLOCK16:
        if intra:
            base = luma_dc_base(near, p, kind, transform, levels, 0)
            d = _integer(c, t, LUMA_BITS, DC + 2, np.int64(levels[p, 0]) - base)
            if decode:
                levels[p, 0] = _clip_level(base + d)
        context = mode16_context(intra, mode16_near(near, p, kind, modes))
        modes[p, 0] = _symbol(c, t, LUMA_BITS, context, np.int64(modes[p, 0]))
        if modes[p, 0] > 0:
            cls = MODE_BASE[LUMA16_INTRA if intra else LUMA16] + modes[p, 0] - 1
            _levels(c, t, LUMA_BITS, cls, 0, 16, first, levels, p)
    else:
        for b in range(4):
            if intra:
                base = luma_dc_base(near, p, kind, transform, levels, b)
                d = _integer(c, t, LUMA_BITS, DC + min(b, 1), np.int64(levels[p, 64 * b]) - base)
                if decode:
                    levels[p, 64 * b] = _clip_level(base + d)
            context = mode8_context(intra, b, mode8_near(near, p, kind, modes, transform, b))
            modes[p, b] = _symbol(c, t, LUMA_BITS, context, np.int64(modes[p, b]))
            if modes[p, b] > 0:
                cls = MODE_BASE[LUMA8_INTRA if intra else LUMA8] + modes[p, b] - 1
                _levels(c, t, LUMA_BITS, cls, 64 * b, 8, first, levels, p)
    for plane in range(2):
        base_index = 256 + 64 * plane
        if intra:
            base = dc_base(near, p, kind, transform, levels, plane + 1)
            d = _integer(c, t, CHROMA_BITS, DC + 3 + plane, np.int64(levels[p, base_index]) - base)
            if decode:
                levels[p, base_index] = _clip_level(base + d)
        context = chroma_context(intra, plane, chroma_near(p, transform, modes, plane))
        modes[p, 4 + plane] = _symbol(c, t, CHROMA_BITS, context, np.int64(modes[p, 4 + plane]))
        if modes[p, 4 + plane] > 0:
            cls = MODE_BASE[CHROMA_INTRA if intra else CHROMA] + modes[p, 4 + plane] - 1
            _levels(c, t, CHROMA_BITS, cls, base_index, 8, first, levels, p)


@njit(cache=True, nogil=True)
def chroma_near(p, transform, modes, plane):
    if plane == 1:
        return np.int64(modes[p, 4])
    largest = modes[p, 0]
    if transform[p] == BLOCKS8:
        for b in range(1, 4):
            largest = max(largest, modes[p, b])
    return (np.int64(largest) + 1) // 2


@njit(cache=True, nogil=True)
def walk(c, t, order, near, copy, frame_class, quality, distance, symbols):
    """Code the positions `order` of a packet.

    c: the coder's three arrays. t: (cumulated, row, cost, counts (CONTEXTS, 24), bits (4,)).
    copy: whether this is the coarse copy of another packet's positions. frame_class: KEY_FRAME ..
    PLAIN_FRAME. distance: frames to the long-term reference, 1 or more. symbols: `FrameSymbols.arrays`,
    read by the encoder, written by the decoder.
    """
    kind, reference, vectors, transform, step, modes, levels = symbols
    for n in range(order.size):
        if c[1][OP] == DECODE and c[1][POS] > c[1][LIMIT] + 8:
            return  # far beyond the payload's end: it will be refused, whatever follows
        p = order[n]
        a = near[p, 0]
        b = near[p, 1]
        context = type_context(copy, frame_class, quality, kind, transform, a, b)
        symbol = _symbol(c, t, TYPES, context, np.int64(kind[p]) * 3 + transform[p])
        kind[p] = symbol // 3
        transform[p] = symbol % 3
        if kind[p] == INTRA:
            reference[p] = 0
            if transform[p] != NONE:
                near_step = np.int64(step[a]) if a >= 0 and kind[a] == INTRA else 4
                step[p] = _symbol(c, t, TYPES, STEP + near_step, np.int64(step[p]))
        else:
            if frame_class == PLAIN_FRAME and distance > 1:
                context = reference_context(quality, kind, reference, a, b)
                reference[p] = _symbol(c, t, TYPES, context, np.int64(reference[p]))
            elif frame_class == PLAIN_FRAME or copy:
                reference[p] = LAST
            else:
                reference[p] = LONG
            _vectors(c, t, near, distance, p, kind, reference, vectors)
        if transform[p] != NONE:
            _residual(c, t, near, p, kind, transform, modes, levels)
