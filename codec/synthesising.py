"""The synthesis network at work on a frame: its maps, its strength.

The strength is chosen by the encoder for each frame and travels in the header, so that the network never makes
a clean picture worse. Where a picture is damaged the encoder can not know what is best: there the network always
works in full.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from t4vcodec.codec.models.synthesis import CELL, Synthesis
from t4vcodec.codec.prediction import Prediction
from t4vcodec.codec.symbols import INTRA, NONE, FrameSymbols

FULL = 3  # the highest strength
Planes = list[torch.Tensor]


def network_maps(
    symbols: FrameSymbols,
    prediction: Prediction,
    lost: np.ndarray,
    coarse: np.ndarray,
    damage: np.ndarray | None,
) -> torch.Tensor:
    """What the network is told of each cell of 4x4 luma, (MAPS, H / 4, W / 4) float32.

    prediction: for its steps. lost, coarse: (P,) bool. damage: (2 rows, 2 columns) or None.
    """
    rows, columns = symbols.rows, symbols.columns
    flags = np.stack([symbols.kind == INTRA, symbols.transform != NONE, lost, coarse]).astype(np.float32)
    logs = torch.log2(torch.stack([prediction.steps.detach(), prediction.base]).float()) / 4 - 1
    maps = torch.cat([logs, torch.from_numpy(flags)]).reshape(-1, rows, columns)
    maps = maps.repeat_interleave(16 // CELL, 1).repeat_interleave(16 // CELL, 2)
    hurt = np.zeros((2 * rows, 2 * columns), np.float32) if damage is None else damage
    hurt = torch.from_numpy(hurt).repeat_interleave(8 // CELL, 0).repeat_interleave(8 // CELL, 1)
    return torch.cat([maps, hurt[None]])


@dataclass(frozen=True, eq=False)
class Synthesising:
    """What a frame's synthesis depends on besides its pictures.

    strength: 0 to FULL, of the header. lost, coarse: (P,) bool, positions of which nothing or only a copy came.
    damage: of the picture to be, see `damage.py`.
    """

    network: Synthesis
    strength: int
    lost: np.ndarray
    coarse: np.ndarray
    damage: np.ndarray | None

    @classmethod
    def clean(cls, network: Synthesis, symbols: FrameSymbols) -> Synthesising:
        """Of a frame that arrived whole after nothing was lost, in full strength."""
        nothing = np.zeros(symbols.kind.size, bool)
        return cls(network, FULL, nothing, nothing, None)

    def corrections(self, planes: Planes, prediction: Prediction, symbols: FrameSymbols) -> Planes:
        """What the network would add to y, u, v in full strength."""
        maps = network_maps(symbols, prediction, self.lost, self.coarse, self.damage)
        return list(self.network(tuple(p.float() for p in planes), prediction.y.float(), maps))

    def corrected(self, planes: Planes, prediction: Prediction, symbols: FrameSymbols) -> Planes:
        """y, u, v with the corrections that the strength and the damage allow."""
        if self.strength == 0 and self.damage is None:
            return planes
        added = self.corrections(planes, prediction, symbols)
        share = self.strength / FULL
        if self.damage is None or self.strength == FULL:
            return [p + share * a for p, a in zip(planes, added)]
        hurt = torch.from_numpy(self.damage)
        out = []
        for plane, addition, size in zip(planes, added, (8, 4, 4)):
            here = hurt.repeat_interleave(size, 0).repeat_interleave(size, 1)
            out.append(plane + (share + (1 - share) * here) * addition)
        return out


def best_strength(planes: Planes, added: Planes, source: Planes) -> int:
    """The strength, 0 to FULL, that brings y, u, v nearest to the source."""
    costs = [
        sum(float((p + s / FULL * a - o).square().sum()) for p, a, o in zip(planes, added, source))
        for s in range(FULL + 1)
    ]
    return int(np.argmin(costs))
