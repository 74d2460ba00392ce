"""The synthesis network: what the decoder adds to a picture after dequantisation and deblocking.

It filters coding noise, closes seams and holes, and heals what earlier losses left, in the loop: its output is
shown and predicted from. One network for every quality and loss, told by maps what it looks at:

    y, u, v (deblocked) --+
    predicted luma -------+-- 1/4 size --> 3x3 conv --> residual blocks --> 3x3 conv --> added to y, u, v
    maps of each cell ----+

A block is 1x1, ReLU, depthwise 3x3, ReLU, 1x1.

Its last layer starts at zero, so that an untrained network changes nothing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

MAPS = 7  # step, base step, intra, coded, missing, coarse, damage
CELL = 4  # luma samples of a side of the network's grid
DAMAGE_REACH = 16.0  # grey values that a fully damaged place may be corrected by per unit of output


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(width, 2 * width, 1)
        self.spread = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.narrow = nn.Conv2d(2 * width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.narrow(F.relu(self.spread(F.relu(self.widen(x)))))


class Synthesis(nn.Module):
    """width: channels. blocks: residual blocks."""

    def __init__(self, width: int = 48, blocks: int = 4) -> None:
        super().__init__()
        self.head = nn.Conv2d(2 * CELL**2 + 8 + MAPS, width, 3, padding=1)
        self.body = nn.Sequential(*(_Block(width) for _ in range(blocks)))
        self.tail = nn.Conv2d(width, CELL**2 + 8, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)

    @classmethod
    def like(cls, weights: dict[str, torch.Tensor]) -> Synthesis:
        """A network of the shape of `weights` (as of `state_dict`), with them. Raises KeyError, RuntimeError."""
        blocks = len({name.split(".")[1] for name in weights if name.startswith("body.")})
        network = cls(weights["head.weight"].shape[0], blocks)
        network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
        return network

    @property
    def macs_per_pixel(self) -> float:
        """Multiplications for each luma sample."""
        convolutions = [m for m in self.modules() if isinstance(m, nn.Conv2d)]
        return sum(m.weight.numel() for m in convolutions) / CELL**2

    def forward(
        self,
        planes: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
        predicted: torch.Tensor,
        maps: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Corrections of y (H, W), u, v (H/2, W/2), in grey values.

        planes: y, u, v before it. predicted: luma (H, W). maps: (MAPS, H/4, W/4), see `decoder_maps`.
        """
        y, u, v = planes
        chroma = [F.pixel_unshuffle((p[None, None] - 128) / 64, 2) for p in (u, v)]
        luma = F.pixel_unshuffle((y[None, None] - 128) / 64, CELL)
        residual = F.pixel_unshuffle((y - predicted)[None, None] / 32, CELL)
        x = torch.cat([luma, residual, *chroma, maps[None]], 1).contiguous(memory_format=torch.channels_last)
        out = self.tail(self.body(self.head(x)))
        scale = torch.exp2(4 * maps[0] + 4) + DAMAGE_REACH * maps[MAPS - 1]
        out = (out * scale)[0]
        luma = F.pixel_shuffle(out[None, : CELL**2], CELL)[0, 0]
        u, v = (F.pixel_shuffle(out[None, CELL**2 + i : CELL**2 + i + 4], 2)[0, 0] for i in (0, 4))
        return luma, u, v
