"""What training minimises: the logarithm of a chain's distortion, so that easy and hard clips count alike."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pytorch_msssim import ssim

METRICS = ("mse", "ssim", "mix")
_SSIM_FLOOR = 0.003  # of 1 - SSIM: what is better needs no more work
_MSE_FLOOR = 1.0  # grey values squared
_CHROMA = 0.125  # weight of each chroma plane against luma, as PSNR YUV has it
_MIX = 0.3  # weight of the logarithm of the squared error in the mix


def distortion(
    shown: Sequence[Sequence[torch.Tensor]], source: Sequence[Sequence[torch.Tensor]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """1 - SSIM of luma and the squared error of y, u, v (weighted 6:1:1), means over frames."""
    dissimilar, squared = [], []
    for (y, u, v), (oy, ou, ov) in zip(shown, source):
        dissimilar.append(1 - ssim(y[None, None], oy[None, None], data_range=255))
        errors = [(a - b).square().mean() for a, b in ((y, oy), (u, ou), (v, ov))]
        squared.append((1 - 2 * _CHROMA) * errors[0] + _CHROMA * (errors[1] + errors[2]))
    return torch.stack(dissimilar).mean(), torch.stack(squared).mean()


def objective(dissimilar: torch.Tensor, squared: torch.Tensor, metric: str) -> torch.Tensor:
    """metric: "mse", "ssim" or "mix" of both."""
    by_ssim = torch.log(dissimilar + _SSIM_FLOOR)
    by_error = torch.log(squared + _MSE_FLOOR)
    return {"ssim": by_ssim, "mse": by_error, "mix": by_ssim + _MIX * by_error}[metric]
