"""What a frame is predicted to be, and the quantiser steps that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from t4vcodec.codec.symbols import INTRA, FrameSymbols

INTRA_SCALE = np.array([0.5, 0.7937, 1.2599, 2.0], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Prediction:
    """y, u, v: predicted planes. steps: (P,) float tensor, the step of each position.

    base: (P,) float tensor, the step before adaptation (coarser for copies than for what came in full).
    """

    y: torch.Tensor
    u: torch.Tensor
    v: torch.Tensor
    steps: torch.Tensor
    base: torch.Tensor

    @property
    def planes(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        return self.y, self.u, self.v

    def with_intra_steps(self, symbols: FrameSymbols) -> Prediction:
        """The same with the steps that the intra positions of `symbols` signal."""
        intra = torch.from_numpy(symbols.kind == INTRA)
        scale = torch.from_numpy(INTRA_SCALE[symbols.step])
        return replace(self, steps=torch.where(intra, self.base * scale, self.steps))
