"""Picture quality: luma SSIM and PSNR, as the evaluation protocol defines them.

SSIM is that of Wang, Bovik, Sheikh, Simoncelli (IEEE TIP 13, 2004): an 11x11 Gaussian window of sigma 1.5,
data range 255, the plane's interior only (windows that lie within the picture). It equals
`skimage.metrics.structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
data_range=255)` to rounding, at a tenth of the time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numba
import numpy as np
from t4vcodec.media.frames import Frame

SIGMA, RADIUS = 1.5, 5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
MAX_DB = 100.0
"""What identical pictures score, instead of infinity (which JSON cannot hold)."""


def _window() -> np.ndarray:
    weights = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    return weights / weights.sum()


_WINDOW = _window()


@numba.njit(cache=True, nogil=True, fastmath=True)
def _ssim_sum(x: np.ndarray, y: np.ndarray, window: np.ndarray) -> float:
    """Sum of SSIM over all windows that lie within two (H, W) float64 planes.

    Row by row: the four moments are filtered down the columns, then along the row. (float32 would be twice
    as fast and 4e-5 off on flat pictures, where variances are differences of large numbers.)
    """
    height, width = x.shape
    taps = window.size
    out = width - taps + 1
    mean_x, mean_y, square, product = np.empty(width), np.empty(width), np.empty(width), np.empty(width)
    row_x, row_y, row_square, row_product = np.empty(out), np.empty(out), np.empty(out), np.empty(out)
    total = 0.0
    for top in range(height - taps + 1):
        mean_x[:] = 0
        mean_y[:] = 0
        square[:] = 0
        product[:] = 0
        for k in range(taps):
            w = window[k]
            for i in range(width):
                a, b = x[top + k, i], y[top + k, i]
                mean_x[i] += w * a
                mean_y[i] += w * b
                square[i] += w * (a * a + b * b)
                product[i] += w * (a * b)
        row_x[:] = 0
        row_y[:] = 0
        row_square[:] = 0
        row_product[:] = 0
        for k in range(taps):
            w = window[k]
            for i in range(out):
                row_x[i] += w * mean_x[i + k]
                row_y[i] += w * mean_y[i + k]
                row_square[i] += w * square[i + k]
                row_product[i] += w * product[i + k]
        for i in range(out):
            a, b = row_x[i], row_y[i]
            ab, aabb = a * b, a * a + b * b
            covariance, variances = row_product[i] - ab, row_square[i] - aabb
            total += (2 * ab + _C1) * (2 * covariance + _C2) / ((aabb + _C1) * (variances + _C2))
    return total


def ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Mean SSIM of two (H, W) uint8 planes, at most 1. Planes thinner than 11 are mirrored at their edges."""
    if x.shape != y.shape or x.ndim != 2:
        raise ValueError(f"SSIM needs two planes of one shape, got {x.shape} and {y.shape}")
    if min(x.shape) <= 2 * RADIUS:
        x, y = np.pad(x, RADIUS, mode="symmetric"), np.pad(y, RADIUS, mode="symmetric")
    windows = (x.shape[0] - 2 * RADIUS) * (x.shape[1] - 2 * RADIUS)
    return min(1.0, _ssim_sum(x.astype(np.float64), y.astype(np.float64), _WINDOW) / windows)


def ssim_to_db(value: float) -> float:
    """-10 log10(1 - SSIM), at most `MAX_DB`."""
    return min(MAX_DB, -10 * math.log10(max(1 - value, 1e-300)))


def mse_to_psnr(value: float) -> float:
    """PSNR of 8-bit samples in dB, at most `MAX_DB`."""
    return min(MAX_DB, 10 * math.log10(255**2 / max(value, 1e-300)))


def mse(x: np.ndarray, y: np.ndarray) -> float:
    """Mean squared error of two uint8 planes of one shape."""
    if x.shape != y.shape:
        raise ValueError(f"MSE needs two planes of one shape, got {x.shape} and {y.shape}")
    difference = x.astype(np.int16) - y
    # einsum sums the squares without a third plane; int64 holds any picture's sum.
    return float(np.einsum("ij,ij->", difference, difference, dtype=np.int64)) / x.size


@dataclass
class ClipScore:
    """Collects the quality of a clip frame by frame; frames that were lost count like all others."""

    ssim_frames: list[float] = field(default_factory=list)
    """Luma SSIM of each frame."""
    mse_frames: list[tuple[float, float, float]] = field(default_factory=list)
    """Mean squared error of Y, U, V of each frame."""

    def add(self, source: Frame, shown: Frame) -> None:
        """One more frame: what was captured, and what was shown at its time."""
        self.ssim_frames.append(ssim(source.y, shown.y))
        self.mse_frames.append((mse(source.y, shown.y), mse(source.u, shown.u), mse(source.v, shown.v)))

    @property
    def ssim_y(self) -> float:
        """Mean over frames."""
        return float(np.mean(self.ssim_frames))

    @property
    def ssim_db(self) -> float:
        """Of the mean over frames."""
        return ssim_to_db(self.ssim_y)

    @property
    def ssim_db_p10(self) -> float:
        """Tenth percentile over frames: stalls show here."""
        return ssim_to_db(float(np.percentile(self.ssim_frames, 10)))

    @property
    def psnr_y(self) -> float:
        """Luma, from the mean squared error over the clip."""
        return mse_to_psnr(float(np.mean([m[0] for m in self.mse_frames])))

    @property
    def psnr_yuv(self) -> float:
        """Y, U, V weighted 6:1:1, from the mean squared error over the clip."""
        y, u, v = np.mean(self.mse_frames, axis=0)
        return mse_to_psnr(float(6 * y + u + v) / 8)

    @property
    def psnr_y_p10(self) -> float:
        """Tenth percentile over frames of the luma PSNR."""
        return mse_to_psnr(float(np.percentile([m[0] for m in self.mse_frames], 90)))


def score(source: Sequence[Frame], shown: Sequence[Frame]) -> ClipScore:
    """Quality of a whole clip; raises `ValueError` if the numbers of frames differ."""
    result = ClipScore()
    for a, b in zip(source, shown, strict=True):
        result.add(a, b)
    return result
