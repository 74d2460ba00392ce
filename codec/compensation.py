"""Overlapped block motion compensation: the prediction, differentiable in the reference's samples.

Vectors are quarter luma samples for each 8x8 luma block (4x4 chroma). A pixel is the weighted mean of three
predictions, by its own block's vector, that of the nearer vertical and that of the nearer horizontal neighbour
(H.263 Annex F weights). Interpolation: the 8-tap filters of H.265 for luma, its 4-tap ones at quarters for
chroma. References hold whole values, taps are multiples of 1/64 and weights of 1/8 (chroma: 1/32): in float32 every
luma sum is exact, so the prediction is the same on any machine in any order of summation; chroma is within 1e-4.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

BORDER = 16  # samples of repeated border on each side that vectors may reach into

LUMA_TAPS = (
    (-1, 4, -10, 58, 17, -5, 1, 0),
    (-1, 4, -11, 40, 40, -11, 4, -1),
    (0, 1, -5, 17, 58, -10, 4, -1),
)
CHROMA_TAPS = ((0, 0, -4, 54, 16, -2, 0, 0), (0, 0, -4, 36, 36, -4, 0, 0), (0, 0, -2, 16, 54, -4, 0, 0))

# H.263 Annex F, in eighths.
_OWN = np.array(
    [
        [4, 5, 5, 5, 5, 5, 5, 4],
        [5, 5, 5, 5, 5, 5, 5, 5],
        [5, 5, 6, 6, 6, 6, 5, 5],
        [5, 5, 6, 6, 6, 6, 5, 5],
        [5, 5, 6, 6, 6, 6, 5, 5],
        [5, 5, 6, 6, 6, 6, 5, 5],
        [5, 5, 5, 5, 5, 5, 5, 5],
        [4, 5, 5, 5, 5, 5, 5, 4],
    ],
    dtype=np.float32,
)
_VERTICAL = np.array(
    [
        [2, 2, 2, 2, 2, 2, 2, 2],
        [1, 1, 2, 2, 2, 2, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 2, 2, 2, 2, 1, 1],
        [2, 2, 2, 2, 2, 2, 2, 2],
    ],
    dtype=np.float32,
)
# (own, vertical, horizontal), each (8, 8), summing to 1 at every pixel.
WEIGHTS8 = np.stack([_OWN, _VERTICAL, 8 - _OWN - _VERTICAL]) / 8
WEIGHTS4 = WEIGHTS8.reshape(3, 4, 2, 4, 2).mean((2, 4)).astype(np.float32)


def _filtered(
    x: torch.Tensor, taps: tuple[int, ...], axis: int, size: int, out: torch.Tensor | None
) -> torch.Tensor:
    """x filtered along `axis`; into `out` where given, which spares a copy but takes no gradient."""
    total = None
    for k, tap in enumerate(taps):
        if tap:
            part = x.narrow(axis, k, size)
            total = torch.mul(part, tap / 64, out=out) if total is None else total.add_(part, alpha=tap / 64)
    return total


def interpolate(plane: torch.Tensor, chroma: bool) -> torch.Tensor:
    """The 16 phases of a plane (H, W) -> (16, H + 2 B, W + 2 B); phase 4 * x + y, in quarter samples."""
    taps = CHROMA_TAPS if chroma else LUMA_TAPS
    h, w = plane.shape[0] + 2 * BORDER, plane.shape[1] + 2 * BORDER
    before, after = BORDER + 3, BORDER + 4
    padded = F.pad(plane[None, None], (before, after, before, after), mode="replicate")[0, 0]
    across = torch.stack([padded[:, 3 : 3 + w], *(_filtered(padded, t, 1, w, None) for t in taps)])
    if plane.requires_grad:
        down = [across[:, 3 : 3 + h], *(_filtered(across, t, 1, h, None) for t in taps)]
        return torch.stack(down, dim=1).reshape(16, h, w)
    phases = torch.empty((4, 4, h, w), dtype=plane.dtype)
    phases[:, 0] = across[:, 3 : 3 + h]
    for y, t in enumerate(taps, 1):
        _filtered(across, t, 1, h, phases[:, y])
    return phases.reshape(16, h, w)


@lru_cache(maxsize=16)
def _geometry(rows8: int, columns8: int, size: int) -> tuple[torch.Tensor, ...]:
    """Block corners (blocks, 2) as x, y and the offsets and weights of the pixels of a block."""
    y, x = torch.meshgrid(torch.arange(rows8), torch.arange(columns8), indexing="ij")
    corners = torch.stack([x.flatten(), y.flatten()], 1) * size
    weights = torch.from_numpy(WEIGHTS8 if size == 8 else WEIGHTS4)
    return corners, weights


def neighbour_blocks(rows8: int, columns8: int, usable: np.ndarray) -> np.ndarray:
    """Which block lends its vector: (blocks, 4) int64 for up, down, left, right; a block itself at the frame's
    border and where the neighbour has no vector (`usable`, (rows8, columns8) bool)."""
    own = np.arange(rows8 * columns8).reshape(rows8, columns8)
    out = np.stack([own] * 4, -1)
    for i, (dy, dx) in enumerate(((-1, 0), (1, 0), (0, -1), (0, 1))):
        to = (slice(max(-dy, 0), rows8 - max(dy, 0)), slice(max(-dx, 0), columns8 - max(dx, 0)))
        fro = (slice(max(dy, 0), rows8 - max(-dy, 0)), slice(max(dx, 0), columns8 - max(-dx, 0)))
        out[to + (i,)] = np.where(usable[fro], own[fro], own[to])
    return out.reshape(-1, 4)


def _predict_plane(
    phases: list[torch.Tensor],
    vectors: torch.Tensor,
    reference: torch.Tensor,
    neighbours: torch.Tensor,
    rows8: int,
    columns8: int,
    size: int,
) -> torch.Tensor:
    """One plane (rows8 * size, columns8 * size) from the phases of the references."""
    corners, weights = _geometry(rows8, columns8, size)
    stride = phases[0].shape[2]
    area = phases[0].shape[1] * stride
    local = torch.arange(size)[:, None] * stride + torch.arange(size)
    half = size // 2

    def base(source: torch.Tensor) -> torch.Tensor:
        """Index of the first sample of each block if predicted by the vector of block `source`."""
        low = -4 * (corners + BORDER)
        high = 4 * (torch.tensor([columns8, rows8]) * size + BORDER - size - corners)
        v = torch.minimum(torch.maximum(vectors[source], low), high)
        whole, part = v >> 2, v & 3
        at = corners + BORDER + whole
        return (part[:, 0] * 4 + part[:, 1]) * area + at[:, 1] * stride + at[:, 0]

    own = torch.arange(rows8 * columns8)
    up, down, left, right = (neighbours[:, i] for i in range(4))
    parts = (
        ((own, slice(0, size), slice(0, size)),),
        ((up, slice(0, half), slice(0, size)), (down, slice(half, size), slice(0, size))),
        ((left, slice(0, size), slice(0, half)), (right, slice(0, size), slice(half, size))),
    )
    second = reference != 0 if len(phases) > 1 else None
    total = 0
    for weight, regions in zip(weights, parts):
        index = torch.empty((own.numel(), size, size), dtype=torch.int64)
        for source, ys, xs in regions:
            index[:, ys, xs] = base(source)[:, None, None] + local[ys, xs]
        samples = torch.take(phases[0], index)
        if second is not None:
            for source, ys, xs in regions:
                at = torch.nonzero(second[source])[:, 0]
                samples[at, ys, xs] = torch.take(phases[1], index[at, ys, xs])
        total = total + samples * weight
    return total.reshape(rows8, columns8, size, size).transpose(1, 2).reshape(rows8 * size, columns8 * size)


def predict(
    references: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
    vectors: np.ndarray,
    reference: np.ndarray,
    usable: np.ndarray,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Predicted planes y, u, v from the phases (`Picture.phases`) of one or two references.

    vectors: (rows8, columns8, 2) int, quarter luma samples, x and y. reference: (rows8, columns8), index into
    `references`. usable: (rows8, columns8) bool, which blocks have a vector (others predict by (0, 0) and lend
    nothing to their neighbours).
    """
    rows8, columns8 = usable.shape
    neighbours = torch.from_numpy(neighbour_blocks(rows8, columns8, usable))
    v = torch.from_numpy(vectors.reshape(-1, 2).astype(np.int64))
    r = torch.from_numpy(reference.reshape(-1).astype(np.int64))
    used = references if len(references) > 1 and reference.any() else references[:1]
    planes = []
    for plane, size in ((0, 8), (1, 4), (2, 4)):
        # Eighth chroma samples, rounded to quarters.
        vector = v if plane == 0 else (v + 1) >> 1
        planes.append(_predict_plane([p[plane] for p in used], vector, r, neighbours, rows8, columns8, size))
    return tuple(planes)
