"""In-loop deblocking of transform edges: a step between two blocks that is small against the quantiser is smoothed.

The shape is that of H.264's normal filter (ITU-T H.264, 8.7.2.3): the two samples next to an edge move towards
each other by a clipped quarter of the step; the limits follow the quantiser steps of both sides. Differentiable.
"""

from __future__ import annotations

import numpy as np
import torch
from t4vcodec.codec.symbols import BLOCK16, NONE, FrameSymbols

ALPHA = 1.4  # largest step across the edge, in quantiser steps
BETA = 0.5  # largest difference beside it
CLIP = 0.16  # most that a sample moves


def _filter_columns(plane: torch.Tensor, limits: torch.Tensor, size: int) -> torch.Tensor:
    """Filter the vertical edges every `size` columns. limits: (H, edges), the step allowed at each, 0 for none."""
    p1, p0 = plane[:, size - 2 :: size][:, :-1], plane[:, size - 1 :: size][:, :-1]
    q0, q1 = plane[:, size::size], plane[:, size + 1 :: size]
    jump = q0 - p0
    active = (
        (jump.abs() < ALPHA * limits) & ((p1 - p0).abs() < BETA * limits) & ((q1 - q0).abs() < BETA * limits)
    )
    limit = CLIP * limits
    delta = torch.minimum(torch.maximum((4 * jump + (p1 - q1)) / 8, -limit), limit)
    delta = torch.where(active, delta, torch.zeros((), dtype=delta.dtype))
    out = plane.clone()
    out[:, size - 1 :: size][:, :-1] += delta
    out[:, size::size] -= delta
    return out


def _edge_limits(steps8: torch.Tensor, coded: torch.Tensor, inner: torch.Tensor) -> torch.Tensor:
    """(rows8, columns8 - 1): mean step at the edge right of each block, 0 where it is no edge.

    coded: (rows8, columns8) bool, blocks with a residual. inner: edges inside a 16x16 transform.
    """
    mean = (steps8[:, :-1] + steps8[:, 1:]) / 2
    return torch.where((coded[:, :-1] | coded[:, 1:]) & ~inner, mean, torch.zeros(()))


def deblock(planes: list[torch.Tensor], symbols: FrameSymbols, steps: torch.Tensor) -> list[torch.Tensor]:
    """Filter y, u, v (H, W), (H/2, W/2). steps: (P,), the quantiser step of each position."""
    coded = symbols.transform != NONE
    if not coded.any():
        return planes
    rows, columns = symbols.rows, symbols.columns
    step = steps.reshape(rows, columns)
    has = torch.from_numpy(coded.reshape(rows, columns))
    whole = torch.from_numpy((symbols.transform == BLOCK16).reshape(rows, columns))
    step8, has8, whole8 = (t.repeat_interleave(2, 0).repeat_interleave(2, 1) for t in (step, has, whole))
    inside = torch.from_numpy(np.arange(max(rows, columns) * 2) % 2 == 0)
    out = []
    for plane, s, h, w in ((planes[0], step8, has8, whole8), *((p, step, has, None) for p in planes[1:])):
        for _ in range(2):
            inner = torch.zeros_like(h[:, :-1]) if w is None else w[:, :-1] & inside[: w.shape[1] - 1]
            limits = _edge_limits(s, h, inner).repeat_interleave(8, 0).to(plane.dtype)
            if limits.shape[1]:
                plane = _filter_columns(plane, limits, 8)
            # The second turn filters the horizontal edges of the transposed plane.
            plane, s, h = plane.T, s.T, h.T
            w = None if w is None else w.T
        out.append(plane.contiguous())
    return out
