"""The orthonormal DCT of 8x8 and 16x16 blocks: inverse in torch (reconstruction), forward in numba (decisions)."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit


def dct_matrix(n: int) -> np.ndarray:
    """Rows are the basis functions of the orthonormal DCT-II, (n, n) float32."""
    k = np.arange(n)
    m = np.cos(np.pi * (2 * k[None, :] + 1) * k[:, None] / (2 * n)) * np.sqrt(2 / n)
    m[0] /= np.sqrt(2)
    return m.astype(np.float32)


DCT8 = dct_matrix(8)
DCT16 = dct_matrix(16)
_INVERSE8 = torch.from_numpy(np.kron(DCT8, DCT8))
_INVERSE16 = torch.from_numpy(DCT16)


def inverse8(coefficients: torch.Tensor) -> torch.Tensor:
    """(N, 64) coefficients -> (N, 8, 8) samples."""
    return (coefficients @ _INVERSE8.to(coefficients.dtype)).reshape(-1, 8, 8)


def inverse16(coefficients: torch.Tensor) -> torch.Tensor:
    """(N, 256) coefficients -> (N, 16, 16) samples."""
    d = _INVERSE16.to(coefficients.dtype)
    return d.T @ coefficients.reshape(-1, 16, 16) @ d


@njit(cache=True, nogil=True, fastmath=True)
def forward8(block, x0, y0, out, base):
    """Coefficients of the 8x8 block at (x0, y0) of `block` (rows, columns) into out[base : base + 64]."""
    tmp = np.empty((8, 8), np.float32)
    for y in range(8):
        for u in range(8):
            s = np.float32(0)
            for x in range(8):
                s += block[y0 + y, x0 + x] * DCT8[u, x]
            tmp[y, u] = s
    for v in range(8):
        for u in range(8):
            s = np.float32(0)
            for y in range(8):
                s += DCT8[v, y] * tmp[y, u]
            out[base + v * 8 + u] = s


@njit(cache=True, nogil=True, fastmath=True)
def forward16(block, out):
    """Coefficients of a (16, 16) block into out[:256]."""
    tmp = np.empty((16, 16), np.float32)
    for y in range(16):
        for u in range(16):
            s = np.float32(0)
            for x in range(16):
                s += block[y, x] * DCT16[u, x]
            tmp[y, u] = s
    for v in range(16):
        for u in range(16):
            s = np.float32(0)
            for y in range(16):
                s += DCT16[v, y] * tmp[y, u]
            out[v * 16 + u] = s
