"""Concealment: motion for positions of which nothing arrived, and a smooth fill where there is no motion.

Vectors are integers, decided in a kernel; samples are filled in torch, differentiable.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numba import njit
from t4vcodec.codec.reconstruct import blocks_of, plane_of
from t4vcodec.codec.symbols import INTRA, LAST, LONG, LOST, ZERO, FrameSymbols


@njit(cache=True, nogil=True)
def _median_of(values, n):
    for i in range(1, n):
        v = values[i]
        j = i - 1
        while j >= 0 and values[j] > v:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = v
    if n % 2 == 1:
        return values[n // 2]
    return (values[n // 2 - 1] + values[n // 2]) / 2.0


@njit(cache=True, nogil=True)
def conceal_vector(p, b, columns, rows, kind, reference, vectors, distance, before, out):
    """Vector towards the last picture for block b of position p from its neighbours, into `out` (2,).

    The median of the nearest blocks of received neighbours, brought to one frame's distance; those on the
    block's own side count twice. Without any it is `before` (2,).
    """
    xs = np.empty(8, np.float64)
    ys = np.empty(8, np.float64)
    px = p % columns
    py = p // columns
    n = 0
    for side in range(4):
        dx = (-1, 1, 0, 0)[side]
        dy = (0, 0, -1, 1)[side]
        qx = px + dx
        qy = py + dy
        if qx < 0 or qy < 0 or qx >= columns or qy >= rows:
            continue
        q = qy * columns + qx
        if kind[q] >= INTRA:
            continue
        # The neighbour's block that touches this position nearest to block b.
        bx = (b & 1) if dx == 0 else (0 if dx > 0 else 1)
        by = (b >> 1) if dy == 0 else (0 if dy > 0 else 1)
        scale = 1.0 / distance if reference[q] == LONG else 1.0
        near = (dx == 0 or (dx > 0) == ((b & 1) == 1)) and (dy == 0 or (dy > 0) == ((b >> 1) == 1))
        for _ in range(2 if near else 1):
            xs[n] = vectors[q, by * 2 + bx, 0] * scale
            ys[n] = vectors[q, by * 2 + bx, 1] * scale
            n += 1
    if n > 0:
        out[0] = int(np.round(_median_of(xs, n)))
        out[1] = int(np.round(_median_of(ys, n)))
    else:
        out[0] = before[0]
        out[1] = before[1]


@njit(cache=True, nogil=True)
def _fill(columns, rows, kind, reference, vectors, distance, before, out):
    """Vectors (P, 4, 2) towards the last picture for LOST positions, into `out`."""
    v = np.empty(2, np.int64)
    for p in range(columns * rows):
        if kind[p] == LOST:
            for b in range(4):
                conceal_vector(p, b, columns, rows, kind, reference, vectors, distance, before[p, b], v)
                out[p, b, 0] = v[0]
                out[p, b, 1] = v[1]


def conceal_motion(
    symbols: FrameSymbols, distance: int, before: np.ndarray | None, copies: FrameSymbols | None = None
) -> FrameSymbols:
    """A copy of `symbols` whose LOST positions predict from the last picture by in-painted vectors.

    distance: frames to the long-term reference. before: (P, 4, 2), the motion of the frame before towards its
    last picture, or None. copies: of a long-term frame, whose vectors towards the last picture are a better
    guide than those towards the one before.
    """
    out = symbols.copy()
    lost = symbols.kind == LOST
    if before is None:
        before = np.zeros_like(symbols.vectors)
    guides = (symbols,) if copies is None else (symbols, copies)
    for guide in guides:
        # What the next guide has no neighbours for stays as the one before it said.
        kind = np.where(lost, LOST, guide.kind).astype(np.uint8)
        before = np.where(lost[:, None, None], _filled(kind, guide, distance, before), before)
    out.vectors[lost] = before[lost]
    out.kind[lost] = ZERO  # any kind with vectors; they are given
    out.reference[lost] = LAST
    return out


def _filled(kind: np.ndarray, guide: FrameSymbols, distance: int, before: np.ndarray) -> np.ndarray:
    out = before.astype(np.int16)
    _fill(guide.columns, guide.rows, kind, guide.reference, guide.vectors, max(distance, 1), before, out)
    return out


def motion_to_last(symbols: FrameSymbols, distance: int) -> np.ndarray:
    """(P, 4, 2) int16, each block's motion brought to one frame's distance; 0 for intra."""
    scale = np.where(symbols.reference == LONG, 1.0 / max(distance, 1), 1.0) * (symbols.kind < INTRA)
    return np.round(symbols.vectors * scale[:, None, None]).astype(np.int16)


def fill_smoothly(plane: torch.Tensor, lost: np.ndarray, columns: int, rows: int) -> torch.Tensor:
    """Fill lost positions of a plane from the received ones around, by push and pull over a pyramid of means.

    plane: (H, W). lost: (P,) bool. Where nothing is known at all the plane stays as it is.
    """
    if lost.all() or not lost.any():
        return plane
    size = plane.shape[0] // rows
    cell = size // 4
    mask = torch.from_numpy(~lost.reshape(rows, columns)).to(plane.dtype)
    known = mask.repeat_interleave(4, 0).repeat_interleave(4, 1)[None, None]
    mean = F.avg_pool2d(plane[None, None], cell)
    levels = [(mean * known, known)]
    while min(levels[-1][0].shape[2:]) > 1:
        s, k = levels[-1]
        levels.append((F.avg_pool2d(s, 2, ceil_mode=True), F.avg_pool2d(k, 2, ceil_mode=True)))
    s, k = levels[-1]
    filled = s.sum() / k.sum().clamp_min(1e-6) * torch.ones_like(s)
    for s, k in reversed(levels):
        up = F.interpolate(filled, size=s.shape[2:], mode="bilinear", align_corners=False)
        weight = k.clamp(max=1)
        filled = torch.where(k > 0, s / k.clamp_min(1e-6), up) * weight + up * (1 - weight)
    smooth = F.interpolate(filled, size=plane.shape, mode="bilinear", align_corners=False)[0, 0]
    where = torch.from_numpy(lost.reshape(rows, columns))[:, :, None, None]
    return plane_of(torch.where(where, blocks_of(smooth, size), blocks_of(plane, size)))
