"""The contexts: for each symbol, what it is conditioned on and where its probability table is looked up.

Every context has a number; sections follow each other in one range, [0, CONTEXTS). `Tables.row[context]` names
the shared table. Conditions are integers of the same packet only (its header included), so a packet that
arrived is parsed alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from t4vcodec.codec.symbols import INTRA, LOST, NEW, NONE, SPLIT

ALPHABET = 24

# Frame classes.
KEY_FRAME, LONG_FRAME, PLAIN_FRAME = 0, 1, 2
QUALITY_CLASSES = 4

# Classes of blocks whose levels are told apart: how they were predicted and transformed.
LUMA8, LUMA8_INTRA, LUMA16, LUMA16_INTRA, CHROMA, CHROMA_INTRA = range(6)
LUMA_MODES, CHROMA_MODES = 6, 5
MODE_BASE = np.array([0, 6, 12, 18, 24, 29], dtype=np.int64)  # first level class of each block class
LEVEL_CLASSES = 34
FREQUENCIES = 64
NEIGHBOUR_SUMS = 5
ESCAPE = 15  # level magnitudes 0 to 14 are symbols

TYPE = 0
TYPE_SYMBOLS = 21  # kind * 3 + transform
_TYPES = 3 * QUALITY_CLASSES * 25
COPY_TYPE = TYPE + _TYPES
REFERENCE = COPY_TYPE + 2 * 25
VECTOR = REFERENCE + 9 * QUALITY_CLASSES
STEP = VECTOR + 36
DC = STEP + 5
MODE8 = DC + 5
MODE16 = MODE8 + 2 * 2 * 14
MODE_CHROMA = MODE16 + 2 * 8
LEVEL = MODE_CHROMA + 2 * 2 * 7
CONTEXTS = LEVEL + LEVEL_CLASSES * FREQUENCIES * NEIGHBOUR_SUMS

# Alphabet size of each section, by its first context.
SECTIONS = (
    (TYPE, COPY_TYPE, TYPE_SYMBOLS),
    (COPY_TYPE, REFERENCE, TYPE_SYMBOLS),
    (REFERENCE, VECTOR, 2),
    (VECTOR, STEP, 16),
    (STEP, DC, 4),
    (DC, MODE8, 16),
    (MODE8, MODE16, LUMA_MODES + 1),
    (MODE16, MODE_CHROMA, LUMA_MODES + 1),
    (MODE_CHROMA, LEVEL, CHROMA_MODES + 1),
    (LEVEL, CONTEXTS, ESCAPE + 1),
)

_zigzag8 = sorted(range(64), key=lambda i: (i // 8 + i % 8, i // 8))
_zigzag16 = sorted(range(256), key=lambda i: (i // 16 + i % 16, i // 16))
SCAN8 = np.array(_zigzag8, dtype=np.int64)
SCAN16 = np.array(_zigzag16, dtype=np.int64)
_band = np.array([0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7], dtype=np.int64)
FREQUENCY16 = (_band[:, None] * 8 + _band[None, :]).ravel()
FREQUENCY8 = np.arange(64, dtype=np.int64)


@njit(cache=True, nogil=True)
def quality_class(quality):
    """0 to 3, from fine to coarse."""
    return min(max((quality - 14) // 8, 0), 3)


@njit(cache=True, nogil=True)
def _neighbour_class(kind, transform, q):
    """What a neighbouring position of the packet says about the next type: 0 to 4."""
    if q < 0 or kind[q] == LOST:
        return 0
    if kind[q] == INTRA:
        return 1
    if kind[q] == NEW or kind[q] == SPLIT:
        return 2
    return 3 if transform[q] == NONE else 4


@njit(cache=True, nogil=True)
def type_context(copy, frame_class, quality, kind, transform, a, b):
    pair = _neighbour_class(kind, transform, a) * 5 + _neighbour_class(kind, transform, b)
    if copy:
        return COPY_TYPE + min(frame_class, 1) * 25 + pair
    return TYPE + (frame_class * QUALITY_CLASSES + quality_class(quality)) * 25 + pair


@njit(cache=True, nogil=True)
def reference_context(quality, kind, reference, a, b):
    sa = 2 if a < 0 or kind[a] >= INTRA else reference[a]
    sb = 2 if b < 0 or kind[b] >= INTRA else reference[b]
    return REFERENCE + (quality_class(quality) * 3 + sa) * 3 + sb


@njit(cache=True, nogil=True)
def vector_context(component, spread, long, place):
    """spread: how far the neighbours' vectors disagree, 0 to 2; place: new, first of split, others of split."""
    return VECTOR + ((component * 3 + spread) * 2 + long) * 3 + place


@njit(cache=True, nogil=True)
def mode8_context(intra, block, near):
    """near: sum of two neighbouring modes, 0 to 12, or 13 for none."""
    return MODE8 + (intra * 2 + (1 if block > 0 else 0)) * 14 + near


@njit(cache=True, nogil=True)
def mode16_context(intra, near):
    return MODE16 + intra * 8 + near


@njit(cache=True, nogil=True)
def chroma_context(intra, plane, near):
    """near: half the largest luma mode (0 to 3) for Cb, the mode of Cb (0 to 5) for Cr."""
    return MODE_CHROMA + (intra * 2 + plane) * 7 + near


@njit(cache=True, nogil=True)
def level_context(level_class, frequency, neighbours):
    return LEVEL + (level_class * FREQUENCIES + frequency) * NEIGHBOUR_SUMS + neighbours


@njit(cache=True, nogil=True)
def neighbour_sum(levels, base, size, i):
    """Class (0 to 4) of the magnitudes at the five lower frequencies around frequency i of a block."""
    u = i % size
    v = i // size
    s = 0
    if u > 0:
        s += 2 * min(abs(levels[base + i - 1]), 3)
        if v > 0:
            s += min(abs(levels[base + i - size - 1]), 3)
        if u > 1:
            s += min(abs(levels[base + i - 2]), 3)
    if v > 0:
        s += 2 * min(abs(levels[base + i - size]), 3)
        if v > 1:
            s += min(abs(levels[base + i - 2 * size]), 3)
    if s == 0:
        return 0
    if s <= 2:
        return 1
    if s <= 4:
        return 2
    return 3 if s <= 8 else 4
