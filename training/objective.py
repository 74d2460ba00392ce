"""What training minimises: the logarithm of a chain's distortion, so that easy and hard clips count alike."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

METRICS = ("mse", "ssim", "mix")
_SSIM_FLOOR = 0.003  # of 1 - SSIM: what is better needs no more work
_MSE_FLOOR = 1.0  # grey values squared
_CHROMA = 0.125  # weight of each chroma plane against luma, as PSNR YUV has it
_MIX = 0.3  # weight of the logarithm of the squared error in the mix


def _window() -> torch.Tensor:
    x = torch.arange(11, dtype=torch.float32) - 5
    w = torch.exp(-(x**2) / (2 * 1.5**2))
    return w / w.sum()


def ssim(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Mean SSIM (11x11 Gaussian, sigma 1.5, range 255) of two planes (H, W); Wang et al., 2004. Differentiable."""
    w = _window()
    x = torch.stack([a, b, a * a, b * b, a * b])[:, None]
    x = F.conv2d(F.conv2d(x, w[None, None, None, :]), w[None, None, :, None])[:, 0]
    mean_a, mean_b = x[0], x[1]
    variance_a, variance_b = x[2] - mean_a**2, x[3] - mean_b**2
    covariance = x[4] - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return (top / ((mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2))).mean()


def distortion(
    shown: Sequence[Sequence[torch.Tensor]], source: Sequence[Sequence[torch.Tensor]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """1 - SSIM of luma and the squared error of y, u, v (weighted 6:1:1), means over frames."""
    dissimilar, squared = [], []
    for (y, u, v), (oy, ou, ov) in zip(shown, source):
        dissimilar.append(1 - ssim(y, oy))
        errors = [(a - b).square().mean() for a, b in ((y, oy), (u, ou), (v, ov))]
        squared.append((1 - 2 * _CHROMA) * errors[0] + _CHROMA * (errors[1] + errors[2]))
    return torch.stack(dissimilar).mean(), torch.stack(squared).mean()


def objective(dissimilar: torch.Tensor, squared: torch.Tensor, metric: str) -> torch.Tensor:
    """metric: "mse", "ssim" or "mix" of both."""
    by_ssim = torch.log(dissimilar + _SSIM_FLOOR)
    by_error = torch.log(squared + _MSE_FLOOR)
    return {"ssim": by_ssim, "mse": by_error, "mix": by_ssim + _MIX * by_error}[metric]
