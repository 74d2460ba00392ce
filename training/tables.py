"""Tables by counting: start from a parametric guess, encode, count every symbol by context, cluster, repeat.

The level contexts are far too many to have a table each; they share the `shared` tables that cost the counted
symbols the fewest bits (k-means with the code length as its distance). All other contexts keep their own row,
smoothed towards the sum of their section.
"""

from __future__ import annotations

import numpy as np
from t4vcodec.codec.contexts import (
    ALPHABET,
    CHROMA,
    CHROMA_INTRA,
    CHROMA_MODES,
    CONTEXTS,
    ESCAPE,
    FREQUENCIES,
    LEVEL,
    LEVEL_CLASSES,
    LUMA8,
    LUMA8_INTRA,
    LUMA16,
    LUMA16_INTRA,
    LUMA_MODES,
    MODE_BASE,
    NEIGHBOUR_SUMS,
    SECTIONS,
)
from t4vcodec.codec.tables import TOTAL, Tables

# Means of coefficients by level class, measured on training clips (steps / 256, negative: above the level).
POINTS = {
    LUMA8: (-18, -14),
    LUMA8_INTRA: (-6, 0),
    LUMA16: (-18, -14),
    LUMA16_INTRA: (-6, 0),
    CHROMA: (-18, -14),
    CHROMA_INTRA: (-6, 0),
}


def to_frequencies(weights: np.ndarray, size: int) -> np.ndarray:
    """Weights (.., size) >= 0 -> integer frequencies (.., 24) of at least 1 that sum to 65,536."""
    flat = weights.reshape(-1, size).astype(np.float64) + 1e-9
    scaled = flat / flat.sum(1, keepdims=True) * (TOTAL - size)
    whole = np.floor(scaled).astype(np.int64) + 1
    rest = TOTAL - whole.sum(1)
    whole[np.arange(len(whole)), whole.argmax(1)] += rest
    out = np.zeros((len(whole), ALPHABET), np.int64)
    out[:, :size] = whole
    return out.reshape(*weights.shape[:-1], ALPHABET)


def first_guess() -> np.ndarray:
    """Pseudo-counts (CONTEXTS, 24) to begin with: geometric levels that shrink with frequency."""
    counts = np.zeros((CONTEXTS, ALPHABET))
    for first, end, size in SECTIONS:
        counts[first:end, :size] = 1.0
    for first, end, size in SECTIONS[:2]:
        prior = np.ones(size)
        prior[0::3] = 3.0
        prior[0], prior[1], prior[12], prior[13] = 12.0, 4.0, 4.0, 4.0
        counts[first:end, :size] = prior
    for first, end, size in SECTIONS[3:4]:
        counts[first:end, :size] = 2.0 ** -np.arange(size)[None, :] + 1e-3
    gain = np.array([0.15, 0.35, 0.8, 1.6, 3.0, 6.0])
    reach = np.array([2.0, 3.0, 4.0, 5.0, 7.0, 10.0])
    u, v = np.meshgrid(np.arange(8), np.arange(8))
    radius = (u + v).ravel()
    near = np.array([0.4, 0.9, 1.5, 2.3, 3.5])
    level = counts[LEVEL:].reshape(LEVEL_CLASSES, FREQUENCIES, NEIGHBOUR_SUMS, ALPHABET)
    for c in range(LEVEL_CLASSES):
        m = c % 6 if c < 24 else (c - 24) % 5
        mean = gain[m] * 2.0 ** (-radius[:, None] / reach[m]) * near
        theta = mean / (1 + mean)
        k = np.arange(ESCAPE + 1)
        level[c, :, :, : ESCAPE + 1] = (1 - theta[..., None]) * theta[..., None] ** k + 1e-5
    return counts


def cluster(counts: np.ndarray, shared: int, rounds: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """counts (N, S) -> (row (N,), weights (shared, S)): tables that code the counts in the fewest bits."""
    totals = counts.sum(1)
    smooth = (counts + 0.5 * counts.sum(0) / max(counts.sum(), 1)) / (totals + 0.5)[:, None]
    # Start: contexts ordered by the share of zeros and cut into parts of about equal entropy-weighted mass.
    mean = (smooth * np.arange(counts.shape[1])).sum(1)
    order = np.argsort(mean)
    mass = np.cumsum((np.sqrt(totals) + 1e-3)[order])
    row = np.empty(len(counts), np.int64)
    row[order] = np.minimum((mass / mass[-1] * shared).astype(np.int64), shared - 1)
    for _ in range(rounds):
        weights = np.zeros((shared, counts.shape[1]))
        np.add.at(weights, row, counts)
        prior = counts.sum(0) / counts.sum()
        p = (weights + 0.5 * prior + 1e-6) / (weights + 0.5 * prior + 1e-6).sum(1, keepdims=True)
        bits = -(counts + 0.05 * smooth) @ np.log2(p).T
        row = bits.argmin(1)
    weights = np.zeros((shared, counts.shape[1]))
    np.add.at(weights, row, counts + 0.01 * smooth)
    return row, weights


def build(counts: np.ndarray, points: np.ndarray, shared: int = 96) -> Tables:
    """Tables from symbol counts (CONTEXTS, 24) and reconstruction points (34, 2) in 1/256 steps."""
    row = np.zeros(CONTEXTS, np.int64)
    frequencies = []
    for first, end, size in SECTIONS[:-1]:
        section = counts[first:end, :size].astype(np.float64)
        prior = section.sum(0) + 0.1
        weights = section + 6.0 * prior / prior.sum()
        row[first:end] = first + np.arange(end - first)
        frequencies.append(to_frequencies(weights, size))
    level_row, weights = cluster(counts[LEVEL:, : ESCAPE + 1].astype(np.float64), shared)
    row[LEVEL:] = LEVEL + level_row
    frequencies.append(to_frequencies(weights, ESCAPE + 1))
    return Tables(row.astype(np.uint16), np.concatenate(frequencies).astype(np.int64), points)


def first_tables() -> Tables:
    """The tables that counting starts from."""
    points = np.zeros((LEVEL_CLASSES, 2), np.int8)
    for block_class, points_of_class in POINTS.items():
        first = MODE_BASE[block_class]
        points[first : first + (CHROMA_MODES if block_class >= CHROMA else LUMA_MODES)] = points_of_class
    return build(first_guess() * 100, points)
